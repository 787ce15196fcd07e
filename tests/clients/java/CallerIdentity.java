import software.amazon.awssdk.services.sts.StsClient;

/**
 * Asks STS who the caller is, with the credentials and the region that the SDK's default chains find.
 * Prints account, ARN and user id, separated by tabs, as `aws sts get-caller-identity --output text` does.
 */
final class CallerIdentity {
  private CallerIdentity() {}

  public static void main(String[] arguments) throws InterruptedException {
    var calls = Integer.parseInt(System.getenv().getOrDefault("CALLS", "1"));
    var pause = Integer.parseInt(System.getenv().getOrDefault("SECONDS_BETWEEN", "0"));
    try (var client = StsClient.create()) {
      for (var call = 0; call < calls; call++) {
        if (call > 0) Thread.sleep(1000L * pause);
        var identity = client.getCallerIdentity();
        System.out.println(String.join("\t", identity.account(), identity.arn(), identity.userId()));
      }
    }
  }
}
