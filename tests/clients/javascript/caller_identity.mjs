// Asks STS who the caller is, with the credentials that the SDK's default chain finds.
// Prints account, ARN and user id, separated by tabs, as `aws sts get-caller-identity --output text`
// does.
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";

const { CALLS = "1", SECONDS_BETWEEN = "0" } = process.env;
const client = new STSClient();
for (let call = 0; call < Number(CALLS); call++) {
  if (call > 0) await new Promise((resolve) => setTimeout(resolve, 1000 * Number(SECONDS_BETWEEN)));
  const { Account, Arn, UserId } = await client.send(new GetCallerIdentityCommand());
  process.stdout.write(`${[Account, Arn, UserId].join("\t")}\n`);
}
