package mintserver

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"math/big"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	"gobuild/pkg/lazyre"
	"gobuild/pkg/machinetoken/tokenpb"
)

// Header is where a bot sends its token.
const Header = "X-Luci-Machine-Token"

// drift is how far the clocks of two servers may be apart (section 6).
const drift = 10 * time.Second

// ErrBadToken is what a bot hears of any defect of its token.
var ErrBadToken = errors.New("bad machine token")

// Keys are a token server's public keys, by key id.
type Keys map[string]*rsa.PublicKey

// Bot is whom a token is for.
type Bot struct {
	FQDN   string   // in small letters
	CA     int64    // that issued its certificate, see CA.ID
	Serial *big.Int // of its certificate
}

// Identity is what Swarming calls the bot.
func (b Bot) Identity() string { return "bot:" + b.FQDN }

// botName is what Swarming takes as the name of a bot.
var botName = lazyre.New(`^[0-9a-zA-Z_\-.@]+$`)

// Verifier checks tokens as a Swarming server does (section 6). It does not
// know what was revoked: a token outlives its certificate by up to its own
// lifetime.
type Verifier struct {
	// Issuers are the token servers that are trusted, by e-mail address.
	Issuers map[string]Keys
	// Now is the clock; nil means the system's.
	Now func() time.Time
	// Report hears what was wrong with a token that Wrap refused; it may be nil.
	Report func(error)
}

// Verify returns whom a token is for. Its error is an ErrBadToken, tells what
// is wrong, which bots must not hear, and does not show the token.
func (v *Verifier) Verify(token string) (Bot, error) {
	bot, err := v.verify(token)
	if err != nil {
		return Bot{}, fmt.Errorf("%w: %w", ErrBadToken, err)
	}
	return bot, nil
}

func (v *Verifier) verify(token string) (Bot, error) {
	wire, err := base64.RawStdEncoding.DecodeString(token)
	if err != nil {
		return Bot{}, errors.New("it is no base64 without padding")
	}
	var envelope tokenpb.MachineTokenEnvelope
	if err := proto.Unmarshal(wire, &envelope); err != nil {
		return Bot{}, errors.New("its envelope is no message")
	}
	var body tokenpb.MachineTokenBody
	if err := proto.Unmarshal(envelope.TokenBody, &body); err != nil {
		return Bot{}, errors.New("its body is no message")
	}
	keys, ok := v.Issuers[body.IssuedBy]
	if !ok {
		return Bot{}, fmt.Errorf("unknown issuer %q", body.IssuedBy)
	}
	if err := v.checkTime(&body); err != nil {
		return Bot{}, err
	}
	key, ok := keys[envelope.KeyId]
	if !ok {
		return Bot{}, fmt.Errorf("the issuer has no key %q", envelope.KeyId)
	}
	sum := sha256.Sum256(envelope.TokenBody)
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], envelope.RsaSha256); err != nil {
		return Bot{}, errors.New("its signature is not the issuer's")
	}
	if !botName.MatchString(body.MachineFqdn) {
		return Bot{}, fmt.Errorf("no bot can be called %q", body.MachineFqdn)
	}
	return Bot{body.MachineFqdn, body.CaId, new(big.Int).SetBytes(body.CertSn)}, nil
}

func (v *Verifier) checkTime(body *tokenpb.MachineTokenBody) error {
	if body.IssuedAt > math.MaxInt32<<8 || body.Lifetime > math.MaxInt32 {
		return errors.New("its times cannot be true")
	}
	now := time.Now
	if v.Now != nil {
		now = v.Now
	}
	begin := time.Unix(int64(body.IssuedAt), 0)
	end := begin.Add(time.Duration(body.Lifetime) * time.Second)
	switch now := now(); {
	case now.Before(begin.Add(-drift)):
		return fmt.Errorf("it counts only in %s", begin.Sub(now).Round(time.Second))
	case now.After(end.Add(drift)):
		return fmt.Errorf("it expired %s ago", now.Sub(end).Round(time.Second))
	}
	return nil
}

type botKey struct{}

// Wrap checks the token of each request before next. It answers 401 if that is
// bad. A request without a token passes: what an unknown caller may do is
// next's affair.
func (v *Verifier) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := r.Header.Get(Header)
		if token == "" {
			next.ServeHTTP(w, r)
			return
		}
		bot, err := v.Verify(token)
		if err != nil {
			if v.Report != nil {
				v.Report(err)
			}
			http.Error(w, ErrBadToken.Error(), http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), botKey{}, bot)))
	})
}

// BotFrom returns whose token Wrap found in a request; false if it had none.
func BotFrom(ctx context.Context) (Bot, bool) {
	bot, ok := ctx.Value(botKey{}).(Bot)
	return bot, ok
}
