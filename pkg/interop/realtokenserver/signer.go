package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"io"

	"go.chromium.org/luci/server/auth/signing"
)

// signer signs the server's tokens. The one of the packages' own tests has a
// key that is too short for crypto/rsa.
type signer struct {
	key  *rsa.PrivateKey
	cert string // in PEM
}

const keyID = "0123456789abcdef"

func (s *signer) keys() map[string]string { return map[string]string{keyID: s.cert} }

func (s *signer) SignBytes(_ context.Context, blob []byte) (string, []byte, error) {
	sum := sha256.Sum256(blob)
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, sum[:])
	return keyID, signature, err
}

func (s *signer) Certificates(context.Context) (*signing.PublicCertificates, error) {
	return &signing.PublicCertificates{
		AppID:              appID,
		ServiceAccountName: account,
		Certificates:       []signing.Certificate{{KeyName: keyID, X509CertificatePEM: s.cert}},
	}, nil
}

func (s *signer) ServiceInfo(context.Context) (*signing.ServiceInfo, error) {
	return &signing.ServiceInfo{AppID: appID, AppVersion: "real", ServiceAccountName: account}, nil
}

// body is the body of an answer that never went over a wire.
func body(text []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(text)) }
