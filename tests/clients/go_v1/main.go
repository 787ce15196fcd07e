// Asks STS who the caller is, with the credentials and the region that the SDK's default chains find.
// Prints account, ARN and user id, separated by tabs, as `aws sts get-caller-identity --output text` does.
package main

import (
	"fmt"
	"log"
	"os"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/sts"
)

func main() {
	log.SetFlags(0)
	// This SDK does not read AWS_ENDPOINT_URL_STS.
	config := aws.Config{Endpoint: aws.String(os.Getenv("AWS_ENDPOINT_URL_STS"))}
	options := session.Options{Config: config, SharedConfigState: session.SharedConfigEnable}
	current, err := session.NewSessionWithOptions(options)
	if err != nil {
		log.Fatal(err)
	}
	identity, err := sts.New(current).GetCallerIdentity(&sts.GetCallerIdentityInput{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\t%s\t%s\n", aws.StringValue(identity.Account), aws.StringValue(identity.Arn), aws.StringValue(identity.UserId))
}
