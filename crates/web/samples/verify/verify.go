// Checks the signature of a webhook's request, with the standard library alone.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// How far the sender's clock and ours may be apart.
const tolerance = 5 * time.Minute

// verify refuses a request unless its body, the bytes as they came, was signed with secret a moment ago.
func verify(secret, id, timestamp, signatures string, body []byte) error {
	if !strings.HasPrefix(secret, "whsec_") {
		return errors.New("the secret does not begin with whsec_")
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return errors.New("the secret is not base64")
	}
	sent, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return errors.New("the timestamp is no number")
	}
	if time.Since(time.Unix(sent, 0)).Abs() > tolerance {
		return errors.New("the timestamp is too far from now")
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.", id, timestamp)
	mac.Write(body)
	expected := []byte("v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	// While a secret is rotated there is a signature for each of them; one that fits is enough.
	for _, signature := range strings.Split(signatures, " ") {
		// Equal compares in constant time.
		if hmac.Equal(expected, []byte(signature)) {
			return nil
		}
	}
	return errors.New("no signature fits")
}

func main() {
	body, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = verify(os.Getenv("WEBHOOK_SECRET"), os.Getenv("WEBHOOK_ID"), os.Getenv("WEBHOOK_TIMESTAMP"),
			os.Getenv("WEBHOOK_SIGNATURE"), body)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "refused:", err)
		os.Exit(1)
	}
}
