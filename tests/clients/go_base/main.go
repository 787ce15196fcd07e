// Asks STS who the caller is, with the credentials that HashiCorp's library for Terraform finds.
// Prints the account.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	awsbase "github.com/hashicorp/aws-sdk-go-base/v2"
)

func main() {
	log.SetFlags(0)
	settings := awsbase.Config{Region: os.Getenv("AWS_REGION"), StsEndpoint: os.Getenv("AWS_ENDPOINT_URL_STS")}
	ctx, config, diagnostics := awsbase.GetAwsConfig(context.Background(), &settings)
	if diagnostics.HasError() {
		log.Fatal(diagnostics)
	}
	account, partition, diagnostics := awsbase.GetAwsAccountIDAndPartition(ctx, config, &settings)
	if diagnostics.HasError() {
		log.Fatal(diagnostics)
	}
	fmt.Println(account, partition)
}
