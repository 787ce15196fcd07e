import java.io.FileReader;
import java.io.FileWriter;
import java.io.OutputStream;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.Security;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.AlgorithmParameterSpec;
import javax.crypto.KeyGenerator;
import javax.crypto.spec.PBEParameterSpec;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.PKCS8Generator;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;
import org.bouncycastle.openssl.jcajce.JcaPEMWriter;
import org.bouncycastle.openssl.jcajce.JcaPKCS8Generator;
import org.bouncycastle.openssl.jcajce.JceOpenSSLPKCS8EncryptorBuilder;
import org.bouncycastle.openssl.jcajce.JcePEMEncryptorBuilder;
import org.bouncycastle.operator.OutputEncryptor;

/**
 * Writes what Java's keystores and Bouncy Castle write, and prints a line of JSON for each file. The name
 * of a file that is to be refused begins with the kind of keystore.
 */
public final class MakeContainers {
  private static final String[] KEY_SCHEMES = {
    "PBEWithHmacSHA1AndAES_128", "PBEWithHmacSHA224AndAES_256", "PBEWithHmacSHA256AndAES_128",
    "PBEWithHmacSHA256AndAES_256", "PBEWithHmacSHA384AndAES_256", "PBEWithHmacSHA512AndAES_256",
    "PBEWithSHA1AndDESede", "PBEWithSHA1AndRC2_40", "PBEWithSHA1AndRC2_128",
    "PBEWithSHA1AndRC4_128",
  };
  private static final String[] MACS = {
    "HmacPBESHA1", "HmacPBESHA224", "HmacPBESHA256", "HmacPBESHA384", "HmacPBESHA512",
  };

  private static Path folder;
  private static char[] password;

  public static void main(String[] args) throws Exception {
    folder = Path.of(args[0]);
    password = args[1].toCharArray();
    for (int i = 2; i < args.length; i += 3) {
      PrivateKey key = readKey(args[i + 1]);
      try (var in = Files.newInputStream(Path.of(args[i + 2]))) {
        Certificate certificate = CertificateFactory.getInstance("X.509").generateCertificate(in);
        write(args[i], key, certificate);
      }
    }
  }

  private static PrivateKey readKey(String path) throws Exception {
    try (var parser = new PEMParser(new FileReader(path))) {
      return new JcaPEMKeyConverter().getPrivateKey((PrivateKeyInfo) parser.readObject());
    }
  }

  private static void write(String subject, PrivateKey key, Certificate certificate) throws Exception {
    Certificate[] chain = {certificate};
    writeStore(subject + " JDK default", "PKCS12", null, key, chain, password, true);
    System.setProperty("keystore.pkcs12.legacy", "");
    writeStore(subject + " JDK legacy", "PKCS12", null, key, chain, password, true);
    System.clearProperty("keystore.pkcs12.legacy");
    for (String scheme : KEY_SCHEMES) {
      set("keystore.pkcs12.keyProtectionAlgorithm", scheme);
      set("keystore.pkcs12.certProtectionAlgorithm", scheme);
      writeStore(subject + " JDK " + scheme, "PKCS12", null, key, chain, password, true);
    }
    set("keystore.pkcs12.keyProtectionAlgorithm", "");
    set("keystore.pkcs12.certProtectionAlgorithm", "NONE");
    writeStore(subject + " JDK certificate plain", "PKCS12", null, key, chain, password, true);
    set("keystore.pkcs12.certProtectionAlgorithm", "");
    for (String mac : MACS) {
      set("keystore.pkcs12.macAlgorithm", mac);
      writeStore(subject + " JDK " + mac, "PKCS12", null, key, chain, password, true);
    }
    set("keystore.pkcs12.macAlgorithm", "");
    set("keystore.pkcs12.macIterationCount", "600000");
    set("keystore.pkcs12.keyPbeIterationCount", "600000");
    set("keystore.pkcs12.certPbeIterationCount", "600000");
    writeStore(subject + " JDK 600000", "PKCS12", null, key, chain, password, true);
    for (String name : new String[] {"mac", "keyPbe", "certPbe"}) {
      set("keystore.pkcs12." + name + "IterationCount", "");
    }
    writeStore(subject + " JDK two passwords", "PKCS12", null, key, chain, "other".toCharArray(), false);
    writeStore(subject + " JDK JKS", "JKS", null, key, chain, password, false);
    writeStore(subject + " JDK JCEKS", "JCEKS", null, key, chain, password, false);

    var provider = new BouncyCastleProvider();
    Security.addProvider(provider);
    for (String type : new String[] {"PKCS12", "PKCS12-DEF", "PKCS12-3DES-3DES", "PKCS12-AES256-AES128",
        "PKCS12-AES256-AES128-GCM"}) {
      writeStore(subject + " BC " + type, type, provider, key, chain, null, false);
    }
    writePem(subject, key);
    Security.removeProvider(provider.getName());
  }

  /** A secret key besides, as keytool -genseckey makes it, must not be in the way. */
  private static void writeStore(
      String name, String type, java.security.Provider provider, PrivateKey key, Certificate[] chain,
      char[] keyPassword, boolean withSecretKey) throws Exception {
    KeyStore store =
        provider == null ? KeyStore.getInstance(type) : KeyStore.getInstance(type, provider);
    store.load(null, null);
    if (withSecretKey) {
      var secret = new KeyStore.SecretKeyEntry(KeyGenerator.getInstance("AES").generateKey());
      store.setEntry("secret", secret, new KeyStore.PasswordProtection(keyPassword));
    }
    store.setKeyEntry("me", key, keyPassword, chain);
    Path path = pathOf(name);
    try (OutputStream out = Files.newOutputStream(path)) {
      store.store(out, password);
    }
    report(name, path, new String(password));
  }

  private static void writePem(String subject, PrivateKey key) throws Exception {
    for (String cipher : new String[] {"DES-EDE3-CBC", "AES-128-CBC", "AES-256-CBC"}) {
      var encryptor = new JcePEMEncryptorBuilder(cipher).setProvider("BC").build(password);
      writeText(subject + " BC PEM " + cipher, writer -> writer.writeObject(key, encryptor));
    }
    var schemes = new Object[][] {
      {"AES_128_CBC", PKCS8Generator.AES_128_CBC}, {"AES_192_CBC", PKCS8Generator.AES_192_CBC},
      {"AES_256_CBC", PKCS8Generator.AES_256_CBC}, {"DES3_CBC", PKCS8Generator.DES3_CBC},
      {"PBE_SHA1_3DES", PKCS8Generator.PBE_SHA1_3DES}, {"PBE_SHA1_RC2_40", PKCS8Generator.PBE_SHA1_RC2_40},
    };
    for (Object[] scheme : schemes) {
      OutputEncryptor encryptor =
          new JceOpenSSLPKCS8EncryptorBuilder((org.bouncycastle.asn1.ASN1ObjectIdentifier) scheme[1])
              .setProvider("BC").setRandom(new SecureRandom()).setPassword(password)
              .setIterationCount(2048).build();
      writeText(
          subject + " BC PKCS8 " + scheme[0],
          writer -> writer.writeObject(new JcaPKCS8Generator(key, encryptor).generate()));
    }
  }

  private interface Writing {
    void to(JcaPEMWriter writer) throws Exception;
  }

  private static void writeText(String name, Writing writing) throws Exception {
    Path path = pathOf(name);
    try (var writer = new JcaPEMWriter(new FileWriter(path.toFile()))) {
      writing.to(writer);
    }
    report(name, path, new String(password));
  }

  private static Path pathOf(String name) {
    return folder.resolve(name.replace(' ', '-'));
  }

  private static void report(String name, Path path, String secret) {
    System.out.printf("{\"name\":\"%s\",\"path\":\"%s\",\"password\":\"%s\"}%n", name, path, secret);
  }

  private static void set(String property, String value) {
    Security.setProperty(property, value);
  }
}
