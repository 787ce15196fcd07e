// Asks STS who the caller is, with the credentials that the SDK's default chain finds.
// Prints account, ARN and user id, separated by tabs, as `aws sts get-caller-identity --output text`
// does.
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";

const { Account, Arn, UserId } = await new STSClient().send(new GetCallerIdentityCommand());
process.stdout.write(`${[Account, Arn, UserId].join("\t")}\n`);
