# Checks the signature of a webhook's request, with the standard library alone.
require "openssl"

# How far the sender's clock and ours may be apart, in seconds.
TOLERANCE = 5 * 60

# Raises unless `body`, the bytes as they came, was signed with `secret` a moment ago.
def verify(secret, id, timestamp, signatures, body)
  raise ArgumentError, "the secret does not begin with whsec_" unless secret.start_with?("whsec_")
  raise ArgumentError, "the timestamp is too far from now" if (Time.now.to_i - Integer(timestamp, 10)).abs > TOLERANCE

  key = secret.delete_prefix("whsec_").unpack1("m0")
  digest = OpenSSL::HMAC.digest("SHA256", key, "#{id}.#{timestamp}.".b + body.b)
  expected = "v1,#{[digest].pack("m0")}"
  # While a secret is rotated there is a signature for each of them; one that fits is enough.
  fits = signatures.split(" ").any? { |signature| OpenSSL.secure_compare(expected, signature) }
  raise ArgumentError, "no signature fits" unless fits
end

if $PROGRAM_NAME == __FILE__
  names = %w[WEBHOOK_SECRET WEBHOOK_ID WEBHOOK_TIMESTAMP WEBHOOK_SIGNATURE]
  begin
    verify(*names.map { |name| ENV.fetch(name) }, $stdin.binmode.read)
  rescue ArgumentError => error
    abort "refused: #{error.message}"
  end
end
