# Asks STS who the caller is, with the credentials that the SDK's default chain finds.
require "aws-sdk-core"

endpoint = ENV.fetch("AWS_ENDPOINT_URL_STS") # this version does not read it
puts Aws::STS::Client.new(endpoint: endpoint).get_caller_identity.arn
