// Prints the credentials that the SDK's default chain finds, as JSON with the names the SDK uses.
import { STSClient } from "@aws-sdk/client-sts";

const client = new STSClient({ region: "us-east-1" });
const { accessKeyId, secretAccessKey, sessionToken, expiration } = await client.config
  .credentials();
process.stdout.write(JSON.stringify({
  accessKeyId,
  secretAccessKey,
  sessionToken,
  expiration: expiration?.toISOString(),
}));
