// Prints an object of S3, read by MinIO's client with the credentials of its IAM provider.
//
// Usage: minio_object.mjs ENDPOINT BUCKET KEY [METADATA-ENDPOINT]
import { Client, IamAwsProvider } from "minio";

const [endpoint, bucket, key, customEndpoint] = process.argv.slice(2);
const { hostname, port } = new URL(endpoint);
const credentialsProvider = new IamAwsProvider(customEndpoint ? { customEndpoint } : {});
await credentialsProvider.getCredentials();
const client = new Client({
  endPoint: hostname,
  port: Number(port),
  useSSL: false,
  region: process.env.AWS_REGION,
  credentialsProvider,
});
for await (const chunk of await client.getObject(bucket, key)) process.stdout.write(chunk);
