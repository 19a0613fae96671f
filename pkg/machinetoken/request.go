package machinetoken

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"gobuild/pkg/machinetoken/tokenpb"
)

// newRequest returns the wire form of a MintMachineTokenRequest for cert,
// issued at now and signed with key (LUCI protocol, section 3). The signature
// is over the very bytes that the request carries, so it is made once and sent
// again unchanged at every attempt: an encoder is free to write the same
// message in another way the next time.
func newRequest(cert *x509.Certificate, key *rsa.PrivateKey, now time.Time) ([]byte, error) {
	serialized, err := proto.Marshal(&tokenpb.MachineTokenRequest{
		Certificate:        cert.Raw,
		SignatureAlgorithm: tokenpb.SignatureAlgorithm_SHA256_RSA_ALGO,
		IssuedAt:           timestamppb.New(now),
		TokenType:          tokenpb.MachineTokenType_LUCI_MACHINE_TOKEN,
	})
	if err != nil {
		return nil, fmt.Errorf("encode the token request: %w", err)
	}
	digest := sha256.Sum256(serialized)
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		return nil, fmt.Errorf("sign the token request: %w", err)
	}
	request, err := proto.Marshal(&tokenpb.MintMachineTokenRequest{SerializedTokenRequest: serialized, Signature: signature})
	if err != nil {
		return nil, fmt.Errorf("encode the token request: %w", err)
	}
	return request, nil
}

// minted is what the token server answered.
type minted struct {
	token          string
	expiry         time.Time
	serviceVersion string
}

// maxToken bounds a token, in bytes: it has about 500, and it goes into an
// HTTP header.
const maxToken = 16 << 10

// parseAnswer takes the token out of the wire form of a
// MintMachineTokenResponse. An answer may be a success of the transport and
// still hold an error, which is a *MintError then. The errors never show the
// token.
func parseAnswer(body []byte) (minted, error) {
	var resp tokenpb.MintMachineTokenResponse
	if err := proto.Unmarshal(body, &resp); err != nil {
		return minted{}, &answerError{malformedResponse, "it is no MintMachineTokenResponse"}
	}
	got := minted{serviceVersion: resp.GetServiceVersion()}
	if code := resp.GetErrorCode(); code != tokenpb.ErrorCode_SUCCESS {
		return got, &MintError{Code: code, Text: oneLine(resp.GetErrorMessage()), ServiceVersion: oneLine(got.serviceVersion)}
	}
	if resp.GetTokenResponse() == nil {
		return got, &answerError{unknownRPCError, "it says success and holds no token"}
	}
	token := resp.GetTokenResponse().GetLuciMachineToken()
	got.token, got.expiry = token.GetMachineToken(), token.GetExpiry().AsTime()
	switch {
	case got.token == "":
		return got, &answerError{malformedResponse, "its luci_machine_token is empty"}
	case len(got.token) > maxToken:
		return got, &answerError{malformedResponse, fmt.Sprintf("its token is longer than %d bytes", maxToken)}
	case !printableASCII(got.token):
		return got, &answerError{malformedResponse, "its token has characters that no HTTP header can carry"}
	case !token.GetExpiry().IsValid():
		return got, &answerError{malformedResponse, "it does not say when the token ends"}
	}
	return got, nil
}

func printableASCII(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
