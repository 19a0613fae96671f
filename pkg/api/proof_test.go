package api

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"gobuild/pkg/hint"
)

// proofKeys are a key of each kind that can prove.
var proofKeys = sync.OnceValue(func() map[string]crypto.Signer {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	keys := map[string]crypto.Signer{"RSA": rsaKey}
	for name, curve := range map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()} {
		if keys[name], err = ecdsa.GenerateKey(curve, rand.Reader); err != nil {
			panic(err)
		}
	}
	return keys
})

// prove returns a request as a server sees it that was proven at a time.
func prove(t *testing.T, key crypto.Signer, at time.Time) *http.Request {
	t.Helper()
	req := httptest.NewRequest("POST", "https://Farm.example:8119/api/v1/requests", nil)
	req.Header.Set("Authorization", "Basic eDp5")
	if err := Prove(req, []byte("body"), key, at); err != nil {
		t.Fatal(err)
	}
	return req
}

func TestProof(t *testing.T) {
	now := time.Now()
	for name, key := range proofKeys() {
		req := prove(t, key, now)
		if req.Header.Get("Authorization") != "" {
			t.Errorf("%s: a password goes with the proof", name)
		}
		if err := CheckProof(req, []byte("body"), key.Public(), now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBadProofs(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	keys := proofKeys()
	for _, tt := range []struct {
		name   string
		at     time.Duration
		change func(*http.Request)
		body   string
		code   Code // empty: it is good
		text   string
	}{
		{name: "unchanged"},
		{name: "host in other letters", change: func(r *http.Request) { r.Host = "fARM.example:8119" }},
		{name: "old but not too old", at: -ProofAge},
		{name: "early but not too early", at: ProofAge},
		{name: "old", at: -ProofAge - time.Second, code: CodeUnauthorized, text: "the proof is 10m1s old by this coordinator's clock (2027-01-15T08:00:00Z): at most 10m0s are allowed"},
		{name: "early", at: ProofAge + time.Second, code: CodeUnauthorized, text: "10m1s ahead"},
		{name: "ancient", at: -40 * 365 * 24 * time.Hour, code: CodeUnauthorized, text: "h0m0s old"},
		{name: "time without end", change: func(r *http.Request) { r.Header.Set(HeaderTime, "9223372036854775807") }, code: CodeUnauthorized, text: "more than a century ahead"},
		{name: "time below zero", change: func(r *http.Request) { r.Header.Set(HeaderTime, "-9223372036854775808") }, code: CodeBadRequest, text: HeaderTime},
		{name: "no number", change: func(r *http.Request) { r.Header.Set(HeaderTime, "now") }, code: CodeBadRequest, text: `header X-Gobuild-Time is "now"`},
		{name: "no time", change: func(r *http.Request) { r.Header.Del(HeaderTime) }, code: CodeBadRequest, text: HeaderTime},
		{name: "no proof", change: func(r *http.Request) { r.Header.Del(HeaderProof) }, code: CodeUnauthorized, text: "none came"},
		{name: "no base64", change: func(r *http.Request) { r.Header.Set(HeaderProof, "*") }, code: CodeBadRequest, text: "base64"},
		{name: "empty", change: func(r *http.Request) { r.Header.Set(HeaderProof, "=") }, code: CodeBadRequest, text: "base64"},
		{name: "short", change: func(r *http.Request) { r.Header.Set(HeaderProof, "AAAA") }, code: CodeUnauthorized, text: "not that of the CSR's"},
		{name: "cut", change: func(r *http.Request) {
			raw, _ := base64.StdEncoding.DecodeString(r.Header.Get(HeaderProof))
			r.Header.Set(HeaderProof, base64.StdEncoding.EncodeToString(raw[:len(raw)-1]))
		}, code: CodeUnauthorized, text: "not that of the CSR's"},
		{name: "other time", change: func(r *http.Request) { r.Header.Set(HeaderTime, "1800000001") }, code: CodeUnauthorized, text: "POST Farm.example:8119/api/v1/requests"},
		{name: "time written otherwise", change: func(r *http.Request) { r.Header.Set(HeaderTime, "01800000000") }, code: CodeUnauthorized, text: "not that"},
		{name: "other method", change: func(r *http.Request) { r.Method = "GET" }, code: CodeUnauthorized, text: "for GET"},
		{name: "other host", change: func(r *http.Request) { r.Host = "evil.example:8119" }, code: CodeUnauthorized, text: "evil.example"},
		{name: "other port", change: func(r *http.Request) { r.Host = "farm.example" }, code: CodeUnauthorized, text: "not that"},
		{name: "other path", change: func(r *http.Request) { r.URL.Path += "/x.1" }, code: CodeUnauthorized, text: "requests/x.1"},
		{name: "other body", body: "bodY", code: CodeUnauthorized, text: "not that"},
	} {
		for kind, key := range keys {
			req := prove(t, key, now.Add(tt.at))
			if tt.change != nil {
				tt.change(req)
			}
			body := "body"
			if tt.body != "" {
				body = tt.body
			}
			err := CheckProof(req, []byte(body), key.Public(), now)
			if tt.code == "" {
				if err != nil {
					t.Errorf("%s, %s: %v", tt.name, kind, err)
				}
				continue
			}
			refused, ok := errors.AsType[*Error](err)
			if !ok || refused.Code != tt.code || !strings.Contains(refused.Message, tt.text) {
				t.Errorf("%s, %s: %v, want %s with %q", tt.name, kind, err, tt.code, tt.text)
			}
		}
	}
	for kind, key := range keys {
		for other, otherKey := range keys {
			if err := CheckProof(prove(t, key, now), []byte("body"), otherKey.Public(), now); (err == nil) != (kind == other) {
				t.Errorf("proof by %s checked with %s: %v", kind, other, err)
			}
		}
	}
}

// refusingKey is a key that does not sign, as one in a smart card that is out.
type refusingKey struct{ crypto.Signer }

func (refusingKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("card removed")
}

func TestKeysThatCannotProve(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest("GET", "https://farm.example/", nil)
	if err := Prove(req, nil, ed, time.Now()); err == nil || !strings.Contains(err.Error(), "ed25519.PublicKey") || hint.Of(err) == "" {
		t.Errorf("Ed25519 key: error %v", err)
	}
	if err := Prove(req, nil, refusingKey{proofKeys()["P-256"]}, time.Now()); err == nil || !strings.Contains(err.Error(), "card removed") {
		t.Errorf("a key that does not sign: error %v", err)
	}
	if len(req.Header) > 0 {
		t.Errorf("a proof was added: %v", req.Header)
	}
	req = prove(t, proofKeys()["P-256"], time.Now())
	if err := CheckProof(req, []byte("body"), ed.Public(), time.Now()); err == nil || !strings.Contains(err.Error(), "ed25519.PublicKey") {
		t.Errorf("Ed25519 CSR: error %v", err)
	}
}

// Whatever stands in the headers, nobody gets through without the key.
func FuzzProof(f *testing.F) {
	f.Add("1800000000", "AAAA", "farm.example", "/api/v1/requests", []byte("body"))
	f.Add("-1", "=", "", "/", []byte(nil))
	f.Add("9223372036854775807", "", "[::1]:1", "//%2f", []byte("{}"))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, stamp, proof, host, path string, body []byte) {
		req := httptest.NewRequest("POST", "https://farm.example/", nil)
		req.Host, req.URL.Path = host, path
		req.Header.Set(HeaderTime, stamp)
		req.Header.Set(HeaderProof, proof)
		err := CheckProof(req, body, key.Public(), time.Unix(1_800_000_000, 0))
		refused, ok := errors.AsType[*Error](err)
		if !ok || refused.Status()/100 != 4 {
			t.Errorf("error %v", err)
		}
	})
}
