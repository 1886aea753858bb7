<?php
// Checks the signature of a webhook's request, with what PHP has built in.
declare(strict_types=1);

// How far the sender's clock and ours may be apart, in seconds.
const TOLERANCE = 5 * 60;

// Throws unless $body, the bytes as they came, was signed with $secret a moment ago.
function verify(string $secret, string $id, string $timestamp, string $signatures, string $body): void
{
    $key = base64_decode(substr($secret, strlen('whsec_')), true);
    if (!str_starts_with($secret, 'whsec_') || $key === false) {
        throw new UnexpectedValueException('the secret is not whsec_ and base64');
    }
    if (!ctype_digit($timestamp) || abs(time() - (int) $timestamp) > TOLERANCE) {
        throw new UnexpectedValueException('the timestamp is too far from now');
    }
    $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    // While a secret is rotated there is a signature for each of them; one that fits is enough.
    foreach (explode(' ', $signatures) as $signature) {
        if (hash_equals($expected, $signature)) {
            return;
        }
    }
    throw new UnexpectedValueException('no signature fits');
}

// In a page, the headers are $_SERVER['HTTP_WEBHOOK_ID'] and so on, and the body is php://input.
$names = ['WEBHOOK_SECRET', 'WEBHOOK_ID', 'WEBHOOK_TIMESTAMP', 'WEBHOOK_SIGNATURE'];
$values = array_map(fn (string $name): string => (string) getenv($name), $names);
try {
    verify(...$values, body: file_get_contents('php://stdin'));
} catch (UnexpectedValueException $error) {
    fwrite(STDERR, "refused: {$error->getMessage()}\n");
    exit(1);
}
