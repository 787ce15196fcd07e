// Writes what Go's crypto packages, youmark/pkcs8 and go-pkcs12 write, and prints a line of JSON for
// each file.
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"

	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"
)

type report struct {
	Name     string  `json:"name"`
	Path     string  `json:"path"`
	Password *string `json:"password"`
}

var folder, password string

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func write(name string, contents []byte, secret *string) {
	path := filepath.Join(folder, strings.ReplaceAll(name, " ", "-"))
	if err := os.WriteFile(path, contents, 0o600); err != nil {
		panic(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(report{name, path, secret}); err != nil {
		panic(err)
	}
}

func armor(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}

func main() {
	folder, password = os.Args[1], os.Args[2]
	for rest := os.Args[3:]; len(rest) > 0; rest = rest[3:] {
		subject := rest[0]
		keyBlock, _ := pem.Decode(must(os.ReadFile(rest[1])))
		key := must(x509.ParsePKCS8PrivateKey(keyBlock.Bytes))
		certificateBlock, _ := pem.Decode(must(os.ReadFile(rest[2])))
		certificate := must(x509.ParseCertificate(certificateBlock.Bytes))

		label, traditional := "RSA PRIVATE KEY", []byte(nil)
		switch key := key.(type) {
		case *rsa.PrivateKey:
			traditional = x509.MarshalPKCS1PrivateKey(key)
		case *ecdsa.PrivateKey:
			label, traditional = "EC PRIVATE KEY", must(x509.MarshalECPrivateKey(key))
		}
		write(subject+" traditional PEM", armor(label, traditional), nil)
		write(subject+" traditional DER", traditional, nil)
		write(subject+" PKCS8 PEM", armor("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key))), nil)
		for name, cipher := range map[string]x509.PEMCipher{
			"DES": x509.PEMCipherDES, "3DES": x509.PEMCipher3DES, "AES128": x509.PEMCipherAES128,
			"AES192": x509.PEMCipherAES192, "AES256": x509.PEMCipherAES256,
		} {
			block := must(x509.EncryptPEMBlock(rand.Reader, label, traditional, []byte(password), cipher))
			write(subject+" EncryptPEMBlock "+name, pem.EncodeToMemory(block), &password)
		}

		kdfs := map[string]pkcs8.KDFOpts{
			"scrypt": pkcs8.ScryptOpts{SaltSize: 16, CostParameter: 4096, BlockSize: 8, ParallelizationParameter: 1},
		}
		for name, hash := range map[string]pkcs8.PBKDF2Opts{
			"SHA1":   {SaltSize: 8, IterationCount: 1000, HMACHash: crypto.SHA1},
			"SHA256": {SaltSize: 16, IterationCount: 10000, HMACHash: crypto.SHA256},
		} {
			kdfs[name] = hash
		}
		for kdf, options := range kdfs {
			for name, cipher := range map[string]pkcs8.Cipher{
				"AES128": pkcs8.AES128CBC, "AES192": pkcs8.AES192CBC, "AES256": pkcs8.AES256CBC,
				"3DES": pkcs8.TripleDESCBC,
			} {
				der := must(pkcs8.MarshalPrivateKey(key, []byte(password), &pkcs8.Opts{Cipher: cipher, KDFOpts: options}))
				write(subject+" youmark "+kdf+" "+name, armor("ENCRYPTED PRIVATE KEY", der), &password)
			}
		}

		for name, encoder := range map[string]*pkcs12.Encoder{
			"LegacyRC2": pkcs12.LegacyRC2, "LegacyDES": pkcs12.LegacyDES, "Modern2023": pkcs12.Modern2023,
			"Modern2026": pkcs12.Modern2026, "LegacyDES iterated": pkcs12.LegacyDES.WithIterations(200_000),
			"Modern iterated": pkcs12.Modern.WithIterations(600_000),
		} {
			der := must(encoder.Encode(key, certificate, []*x509.Certificate{certificate}, password))
			write(subject+" go-pkcs12 "+name, der, &password)
		}
		write(subject+" go-pkcs12 Passwordless", must(pkcs12.Passwordless.Encode(key, certificate, nil, "")), nil)
	}
}
