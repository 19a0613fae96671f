package mintserver

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"

	"google.golang.org/protobuf/proto"

	"gobuild/pkg/machinetoken/tokenpb"
)

// Signer signs tokens with the key of a token server's service account
// (section 5).
type Signer struct {
	account string
	key     *rsa.PrivateKey
	keyID   string
}

// NewSigner returns a Signer. The account is an e-mail address; Swarming takes
// only those that end in .gserviceaccount.com.
func NewSigner(account string, key *rsa.PrivateKey) (*Signer, error) {
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("key of the token server: %w", err)
	}
	sum := sha256.Sum256(spki)
	return &Signer{account, key, hex.EncodeToString(sum[:20])}, nil
}

// Account returns the e-mail address that tokens name as their issuer.
func (s *Signer) Account() string { return s.account }

// Keys returns what verifies the tokens.
func (s *Signer) Keys() Keys { return Keys{s.keyID: &s.key.PublicKey} }

// Token signs a token with any content: it checks nothing.
func (s *Signer) Token(body *tokenpb.MachineTokenBody) (string, error) {
	signed, err := proto.Marshal(body)
	if err != nil {
		return "", fmt.Errorf("body of the machine token: %w", err)
	}
	sum := sha256.Sum256(signed)
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign the machine token: %w", err)
	}
	envelope, err := proto.Marshal(&tokenpb.MachineTokenEnvelope{TokenBody: signed, KeyId: s.keyID, RsaSha256: signature})
	if err != nil {
		return "", fmt.Errorf("envelope of the machine token: %w", err)
	}
	return base64.RawStdEncoding.EncodeToString(envelope), nil
}
