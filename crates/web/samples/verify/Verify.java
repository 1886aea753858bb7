import static java.nio.charset.StandardCharsets.UTF_8;

import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SignatureException;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** Checks the signature of a webhook's request, with the JDK alone. */
public final class Verify {
    /** How far the sender's clock and ours may be apart. */
    private static final Duration TOLERANCE = Duration.ofMinutes(5);

    /** Refuses a request unless its body, the bytes as they came, was signed with the secret a moment ago. */
    static void verify(String secret, String id, String timestamp, String signatures, byte[] body)
            throws GeneralSecurityException {
        if (!secret.startsWith("whsec_")) {
            throw new SignatureException("the secret does not begin with whsec_");
        }
        Instant sent = Instant.ofEpochSecond(Long.parseLong(timestamp));
        if (Duration.between(sent, Instant.now()).abs().compareTo(TOLERANCE) > 0) {
            throw new SignatureException("the timestamp is too far from now");
        }
        Mac mac = Mac.getInstance("HmacSHA256");
        byte[] key = Base64.getDecoder().decode(secret.substring("whsec_".length()));
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        mac.update((id + "." + timestamp + ".").getBytes(UTF_8));
        byte[] expected = ("v1," + Base64.getEncoder().encodeToString(mac.doFinal(body))).getBytes(UTF_8);
        // While a secret is rotated there is a signature for each of them; one that fits is enough.
        for (String signature : signatures.split(" ")) {
            // isEqual compares in constant time.
            if (MessageDigest.isEqual(expected, signature.getBytes(UTF_8))) {
                return;
            }
        }
        throw new SignatureException("no signature fits");
    }

    public static void main(String[] arguments) throws Exception {
        byte[] body = System.in.readAllBytes();
        try {
            verify(System.getenv("WEBHOOK_SECRET"), System.getenv("WEBHOOK_ID"), System.getenv("WEBHOOK_TIMESTAMP"),
                    System.getenv("WEBHOOK_SIGNATURE"), body);
        } catch (GeneralSecurityException | RuntimeException refused) {
            System.err.println("refused: " + refused.getMessage());
            System.exit(1);
        }
    }
}
