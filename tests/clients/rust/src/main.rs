//! Asks STS who the caller is, with the credentials and the region that the SDK's default chains find.
//! Prints account, ARN and user id, separated by tabs, as `aws sts get-caller-identity --output text` does.

use aws_config::BehaviorVersion;

type Failure = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    // A client without TLS: all that it talks to is on loopback, and TLS takes long to compile.
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .load()
        .await;
    let identity = aws_sdk_sts::Client::new(&config)
        .get_caller_identity()
        .send()
        .await?;
    println!(
        "{}\t{}\t{}",
        identity.account().unwrap_or_default(),
        identity.arn().unwrap_or_default(),
        identity.user_id().unwrap_or_default(),
    );
    Ok(())
}
