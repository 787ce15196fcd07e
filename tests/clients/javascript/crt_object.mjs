// Prints an object of S3: a request that AWS's Common Runtime signs with its default chain's credentials.
//
// Usage: crt_object.mjs ENDPOINT BUCKET KEY
import { auth, http } from "aws-crt";

const [endpoint, bucket, key] = process.argv.slice(2);
const path = `/${bucket}/${key}`;
const request = new http.HttpRequest(
  "GET",
  path,
  new http.HttpHeaders([["Host", new URL(endpoint).host]]),
);
const signed = await auth.aws_sign_request(request, {
  algorithm: auth.AwsSigningAlgorithm.SigV4,
  signature_type: auth.AwsSignatureType.HttpRequestViaHeaders,
  signed_body_header: auth.AwsSignedBodyHeaderType.XAmzContentSha256,
  use_double_uri_encode: false,
  provider: auth.AwsCredentialsProvider.newDefault(),
  region: process.env.AWS_REGION,
  service: "s3",
  date: new Date(),
});
const headers = Object.fromEntries([...signed.headers].filter(([name]) => name !== "Host"));
const response = await fetch(endpoint + path, { headers });
console.log(await response.text());
process.exit(response.ok ? 0 : 1);
