package api

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gobuild/pkg/hint"
)

// The headers of a proof: who holds the private key of a CSR signs with it
//
//	gobuild request v1
//	METHOD
//	HOST, in small letters, with its port if the URL has one
//	PATH, without the query
//	TIME
//	hex(sha256(body))
//
// joined by newlines, with none at the end. An RSA key signs by PKCS #1 v1.5
// and an ECDSA key in ASN.1 form, both with SHA-256.
const (
	HeaderTime  = "X-Gobuild-Time"  // TIME, in seconds since 1970
	HeaderProof = "X-Gobuild-Proof" // the signature, in base64
)

// ProofAge is how far a proof's time may be from the server's.
const ProofAge = 10 * time.Minute

// Prove adds to req, which is about to be sent with body, the proof that its
// sender holds key. The proof takes the place of a user's key.
func Prove(req *http.Request, body []byte, key crypto.Signer, now time.Time) error {
	if _, err := proofAlgorithm(key.Public()); err != nil {
		return err
	}
	stamp := strconv.FormatInt(now.Unix(), 10)
	digest := sha256.Sum256(proofMessage(req, body, stamp))
	signature, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return fmt.Errorf("sign the request: %w", err)
	}
	req.Header.Del("Authorization")
	req.Header.Set(HeaderTime, stamp)
	req.Header.Set(HeaderProof, base64.StdEncoding.EncodeToString(signature))
	return nil
}

// CheckProof checks that req, which came in with body, was sent lately by who
// holds the private key of pub. That it was sent to this server is left to
// the caller: req.Host has to be one of its names. The error is an *Error.
func CheckProof(req *http.Request, body []byte, pub crypto.PublicKey, now time.Time) error {
	stamp, proof := req.Header.Get(HeaderTime), req.Header.Get(HeaderProof)
	if proof == "" {
		return Errorf(CodeUnauthorized, "this needs a proof that you hold the CSR's private key, and none came").
			WithHint("gobuild request makes it")
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || seconds < 0 {
		return Errorf(CodeBadRequest, "header %s is %.40q, not a number of seconds", HeaderTime, stamp)
	}
	if ahead := seconds - now.Unix(); max(ahead, -ahead) > int64(ProofAge/time.Second) {
		return Errorf(CodeUnauthorized, "the proof is %s by this coordinator's clock (%s): at most %s are allowed",
			skew(ahead), now.UTC().Format(time.RFC3339), ProofAge).WithHint("set the clock of the machine that you ask from")
	}
	signature, err := base64.StdEncoding.DecodeString(proof)
	if err != nil {
		return Errorf(CodeBadRequest, "header %s is not base64", HeaderProof)
	}
	algorithm, err := proofAlgorithm(pub)
	if err != nil {
		return Errorf(CodeBadRequest, "%v", err).WithHint("%s", hint.Of(err))
	}
	if err := (&x509.Certificate{PublicKey: pub}).CheckSignature(algorithm, proofMessage(req, body, stamp), signature); err != nil {
		return Errorf(CodeUnauthorized, "the proof is not that of the CSR's private key for %s %s%s", req.Method, req.Host, req.URL.EscapedPath()).
			WithHint("sign with the key that was made together with the CSR; a proxy must not change the address")
	}
	return nil
}

// proofMessage returns what a proof signs.
func proofMessage(req *http.Request, body []byte, stamp string) []byte {
	return fmt.Appendf(nil, "gobuild request v1\n%s\n%s\n%s\n%s\n%x",
		req.Method, strings.ToLower(req.Host), req.URL.EscapedPath(), stamp, sha256.Sum256(body))
}

// proofAlgorithm returns how a key of pub's kind signs.
func proofAlgorithm(pub crypto.PublicKey) (x509.SignatureAlgorithm, error) {
	switch pub.(type) {
	case *rsa.PublicKey:
		return x509.SHA256WithRSA, nil
	case *ecdsa.PublicKey:
		return x509.ECDSAWithSHA256, nil
	}
	return 0, hint.With(fmt.Errorf("a key of type %T cannot prove anything here", pub), "RSA and ECDSA keys can: gobuild csr makes one")
}

// skew says how far a proof's time is off.
func skew(ahead int64) string {
	side := "ahead"
	if ahead < 0 {
		side, ahead = "old", -ahead
	}
	if ahead > 1<<32 {
		return "more than a century " + side
	}
	return (time.Duration(ahead) * time.Second).String() + " " + side
}
