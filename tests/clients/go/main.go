// Asks STS who the caller is, with the credentials and the region that the SDK's default chains find.
// Prints account, ARN and user id, separated by tabs, as `aws sts get-caller-identity --output text` does.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func main() {
	log.SetFlags(0)
	ctx := context.Background()
	// Unlike other SDKs, this one reads the region from the metadata service only if configured.
	settings, err := config.LoadDefaultConfig(ctx, config.WithEC2IMDSRegion())
	if err != nil {
		log.Fatal(err)
	}
	client := sts.NewFromConfig(settings)
	calls, _ := strconv.Atoi(os.Getenv("CALLS"))
	pause, _ := strconv.Atoi(os.Getenv("SECONDS_BETWEEN"))
	for call := 0; call < max(calls, 1); call++ {
		if call > 0 {
			time.Sleep(time.Duration(pause) * time.Second)
		}
		identity, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\t%s\t%s\n", aws.ToString(identity.Account), aws.ToString(identity.Arn), aws.ToString(identity.UserId))
	}
}
