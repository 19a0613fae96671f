package mintserver

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"gobuild/pkg/machinetoken/tokenpb"
)

func goodBody() *tokenpb.MachineTokenBody {
	return &tokenpb.MachineTokenBody{
		MachineFqdn: fqdn, IssuedBy: account, IssuedAt: uint64(noon.Unix()), Lifetime: 3600, CaId: 7, CertSn: []byte{1, 0},
	}
}

func newVerifier(t testing.TB) (*Verifier, *Signer) {
	t.Helper()
	signer, err := NewSigner(account, serverKey())
	if err != nil {
		t.Fatal(err)
	}
	return &Verifier{Issuers: map[string]Keys{account: signer.Keys()}, Now: func() time.Time { return noon }}, signer
}

func TestVerify(t *testing.T) {
	verifier, signer := newVerifier(t)
	stranger, err := NewSigner(account, caKey())
	if err != nil {
		t.Fatal(err)
	}
	token := func(signer *Signer, change func(*tokenpb.MachineTokenBody)) string {
		body := goodBody()
		if change != nil {
			change(body)
		}
		token, err := signer.Token(body)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	envelope := func(change func(*tokenpb.MachineTokenEnvelope)) string {
		wire, err := base64.RawStdEncoding.DecodeString(token(signer, nil))
		if err != nil {
			t.Fatal(err)
		}
		var envelope tokenpb.MachineTokenEnvelope
		if err := proto.Unmarshal(wire, &envelope); err != nil {
			t.Fatal(err)
		}
		change(&envelope)
		if wire, err = proto.Marshal(&envelope); err != nil {
			t.Fatal(err)
		}
		return base64.RawStdEncoding.EncodeToString(wire)
	}
	at := func(issued time.Time) func(*tokenpb.MachineTokenBody) {
		return func(b *tokenpb.MachineTokenBody) { b.IssuedAt = uint64(issued.Unix()) }
	}
	for _, tt := range []struct{ name, token, err string }{
		{"good", token(signer, nil), ""},
		{"10 seconds early", token(signer, at(noon.Add(10*time.Second))), ""},
		{"10 seconds late", token(signer, at(noon.Add(-time.Hour-9*time.Second))), ""},
		{"earlier", token(signer, at(noon.Add(11*time.Second))), "it counts only in 1"},
		{"later", token(signer, at(noon.Add(-time.Hour-11*time.Second))), "it expired 12s ago"},
		{"padded", token(signer, nil) + "=", "no base64"},
		{"URL alphabet", strings.NewReplacer("+", "-", "/", "_").Replace(token(signer, nil)) + "-_", "no base64"},
		{"empty", "", "unknown issuer"},
		{"text", base64.RawStdEncoding.EncodeToString([]byte("hello, gophers")), "its envelope is no message"},
		{"text in it", envelope(func(e *tokenpb.MachineTokenEnvelope) { e.TokenBody = []byte("hello, gophers") }), "its body is no message"},
		{"unknown issuer", token(signer, func(b *tokenpb.MachineTokenBody) { b.IssuedBy = "x@example.com" }), `unknown issuer "x@example.com"`},
		{"unknown key", token(stranger, nil), "the issuer has no key"},
		{"other key", envelope(func(e *tokenpb.MachineTokenEnvelope) {
			other, _ := base64.RawStdEncoding.DecodeString(token(stranger, nil))
			var forged tokenpb.MachineTokenEnvelope
			if err := proto.Unmarshal(other, &forged); err != nil {
				t.Fatal(err)
			}
			e.RsaSha256 = forged.RsaSha256
		}), "signature is not the issuer's"},
		{"other body", envelope(func(e *tokenpb.MachineTokenEnvelope) {
			body := goodBody()
			body.MachineFqdn = "else.bots.golang.org"
			e.TokenBody, _ = proto.Marshal(body)
		}), "signature is not the issuer's"},
		{"no signature", envelope(func(e *tokenpb.MachineTokenEnvelope) { e.RsaSha256 = nil }), "signature is not the issuer's"},
		{"odd name", token(signer, func(b *tokenpb.MachineTokenBody) { b.MachineFqdn = "a b" }), `no bot can be called "a b"`},
		{"no name", token(signer, func(b *tokenpb.MachineTokenBody) { b.MachineFqdn = "" }), `no bot can be called ""`},
		{"for ever", token(signer, func(b *tokenpb.MachineTokenBody) { b.Lifetime = math.MaxUint64 }), "cannot be true"},
	} {
		bot, err := verifier.Verify(tt.token)
		switch {
		case tt.err == "" && (err != nil || bot.Identity() != "bot:"+fqdn || bot.CA != 7 || bot.Serial.Int64() != 256):
			t.Errorf("%s: got %+v, %v", tt.name, bot, err)
		case tt.err != "" && (!errors.Is(err, ErrBadToken) || !strings.Contains(err.Error(), tt.err) || bot.FQDN != ""):
			t.Errorf("%s: got %+v, %v, want an error with %q", tt.name, bot, err, tt.err)
		case tt.err != "" && len(tt.token) > 50 && strings.Contains(err.Error(), tt.token[:50]):
			t.Errorf("%s: the error shows the token: %v", tt.name, err)
		}
	}
}

func TestWrap(t *testing.T) {
	verifier, signer := newVerifier(t)
	var reported error
	verifier.Report = func(err error) { reported = err }
	h := verifier.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bot, ok := BotFrom(r.Context())
		fmt.Fprint(w, ok, " ", bot.FQDN)
	}))
	good, err := signer.Token(goodBody())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		token  string
		status int
		text   string
	}{
		{"", 200, "false "},
		{good, 200, "true " + fqdn},
		{good[1:], 401, "bad machine token\n"},
	} {
		reported = nil
		r := httptest.NewRequest("GET", "/bot_code", nil)
		r.Header.Set(Header, tt.token)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if text, _ := io.ReadAll(w.Result().Body); w.Code != tt.status || string(text) != tt.text || (reported != nil) != (w.Code == 401) {
			t.Errorf("status %d, %q, reported %v, want %d, %q", w.Code, text, reported, tt.status, tt.text)
		}
	}
}

func FuzzVerify(f *testing.F) {
	verifier, signer := newVerifier(f)
	good, err := signer.Token(goodBody())
	if err != nil {
		f.Fatal(err)
	}
	wire, err := base64.RawStdEncoding.DecodeString(good)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(wire)
	f.Fuzz(func(t *testing.T, wire []byte) {
		bot, err := verifier.Verify(base64.RawStdEncoding.EncodeToString(wire))
		if err == nil && bot.FQDN != fqdn {
			t.Errorf("a token for %q that nobody signed", bot.FQDN)
		}
	})
}
