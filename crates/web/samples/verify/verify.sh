#!/bin/sh
# Checks the signature of a webhook's request, with openssl; the body comes on the standard input. To try things out:
# other users of the machine can see a program's arguments, and the key is one of openssl's.
set -euf

tolerance=300 # how far the sender's clock and ours may be apart, in seconds

refuse() {
  echo "refused: $1" >&2
  exit 1
}

# The HMAC-SHA-256 of the standard input, in base64; the key comes in hexadecimal digits.
hmac() {
  openssl dgst -sha256 -mac HMAC -macopt "hexkey:$1" -binary | openssl base64 -A
}

case $WEBHOOK_SECRET in whsec_*) ;; *) refuse "the secret does not begin with whsec_" ;; esac
case $WEBHOOK_TIMESTAMP in "" | *[!0-9]*) refuse "the timestamp is no number" ;; esac
apart=$(($(date +%s) - WEBHOOK_TIMESTAMP))
[ "${apart#-}" -le "$tolerance" ] || refuse "the timestamp is too far from now"

key=$(printf %s "${WEBHOOK_SECRET#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
[ "${#key}" -ge 48 ] || refuse "the secret is not base64"
expected=$({ printf '%s.%s.' "$WEBHOOK_ID" "$WEBHOOK_TIMESTAMP"; cat; } | hmac "$key")

# A shell cannot compare in constant time, so what it compares is first signed by a key that nobody can foresee.
once=$(openssl rand -hex 32)
blinded=$(printf 'v1,%s' "$expected" | hmac "$once")
[ "${#expected}" -eq 44 ] && [ "${#blinded}" -eq 44 ] || refuse "openssl failed"
# While a secret is rotated there is a signature for each of them; one that fits is enough.
for signature in $WEBHOOK_SIGNATURE; do
  if [ "$(printf %s "$signature" | hmac "$once")" = "$blinded" ]; then exit 0; fi
done
refuse "no signature fits"
