// Checks the signature of a webhook's request, with nothing but Node.js.
import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";

// How far the sender's clock and ours may be apart, in seconds.
const TOLERANCE = 5 * 60;

// Throws unless `body`, a Buffer with the bytes as they came, was signed with `secret` a moment ago.
function verify(secret, id, timestamp, signatures, body) {
  if (!secret.startsWith("whsec_")) throw new Error("the secret does not begin with whsec_");
  const apart = Math.abs(Math.floor(Date.now() / 1000) - Number(timestamp));
  // Said this way round, since nothing is true of a timestamp that is no number.
  if (!(apart <= TOLERANCE)) throw new Error("the timestamp is too far from now");

  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const hmac = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body);
  const expected = Buffer.from(`v1,${hmac.digest("base64")}`);
  // While a secret is rotated there is a signature for each of them; one that fits is enough.
  const fits = signatures.split(" ").some((signature) => {
    const given = Buffer.from(signature);
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
  if (!fits) throw new Error("no signature fits");
}

const { WEBHOOK_SECRET, WEBHOOK_ID, WEBHOOK_TIMESTAMP, WEBHOOK_SIGNATURE } = process.env;
try {
  verify(WEBHOOK_SECRET, WEBHOOK_ID, WEBHOOK_TIMESTAMP, WEBHOOK_SIGNATURE, readFileSync(0));
} catch (error) {
  console.error(`refused: ${error.message}`);
  process.exit(1);
}
