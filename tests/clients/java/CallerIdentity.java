import software.amazon.awssdk.services.sts.StsClient;

/**
 * Asks STS who the caller is, with the credentials and the region that the SDK's default chains find.
 * Prints account, ARN and user id, separated by tabs, as `aws sts get-caller-identity --output text` does.
 */
final class CallerIdentity {
  private CallerIdentity() {}

  public static void main(String[] arguments) {
    try (var client = StsClient.create()) {
      var identity = client.getCallerIdentity();
      System.out.println(String.join("\t", identity.account(), identity.arn(), identity.userId()));
    }
  }
}
