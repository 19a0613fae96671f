package mintserver

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"gobuild/pkg/machinetoken/tokenpb"
)

// maxSkew is how far a client's clock may be off, either way (section 4).
const maxSkew = 10 * time.Minute

// untrusted is all that a client hears of why its certificate was not taken.
const untrusted = "invalid or untrusted certificate"

// refusal is an answer that is an error, as against one of the transport.
type refusal struct {
	code  tokenpb.ErrorCode
	text  string
	cause string // if it is not the text
}

func (r *refusal) Error() string { return r.text }

func refuse(code tokenpb.ErrorCode, format string, args ...any) error {
	return &refusal{code: code, text: fmt.Sprintf(format, args...)}
}

func distrust(format string, args ...any) error {
	return &refusal{tokenpb.ErrorCode_UNTRUSTED_CERTIFICATE, untrusted, fmt.Sprintf(format, args...)}
}

// mint checks a request in the order of section 4, and mints a token. It
// stores the name in the certificate as soon as it knows it.
func (s *Server) mint(req *tokenpb.MintMachineTokenRequest, machine *string) (*tokenpb.MachineTokenResponse, error) {
	if len(req.SerializedTokenRequest) == 0 {
		return nil, &Error{Code: invalidArgument, Text: "empty request"}
	}
	var ask tokenpb.MachineTokenRequest
	if err := proto.Unmarshal(req.SerializedTokenRequest, &ask); err != nil {
		return nil, &Error{Code: invalidArgument, Text: fmt.Sprintf("failed to unmarshal TokenRequest - %s", err)}
	}
	if ask.TokenType != tokenpb.MachineTokenType_LUCI_MACHINE_TOKEN {
		return nil, refuse(tokenpb.ErrorCode_UNSUPPORTED_TOKEN_TYPE, "token_type %s is not supported", ask.TokenType)
	}
	now := s.opts.Now()
	switch issued := ask.IssuedAt.AsTime(); {
	case issued.IsZero(): // not what a missing field means, which is 1970
		return nil, refuse(tokenpb.ErrorCode_BAD_TIMESTAMP, "issued_at is required")
	case issued.Before(now.Add(-maxSkew)), issued.After(now.Add(maxSkew)):
		return nil, refuse(tokenpb.ErrorCode_BAD_TIMESTAMP, "issued_at timestamp is not within acceptable range, check your clock")
	}
	cert, err := x509.ParseCertificate(ask.Certificate)
	if err != nil {
		return nil, refuse(tokenpb.ErrorCode_BAD_CERTIFICATE_FORMAT, "failed to parse the certificate (expecting x509 cert DER)")
	}
	*machine = cert.Subject.CommonName
	if ask.SignatureAlgorithm != tokenpb.SignatureAlgorithm_SHA256_RSA_ALGO {
		return nil, refuse(tokenpb.ErrorCode_UNSUPPORTED_SIGNATURE, "signature_algorithm %s is not supported", ask.SignatureAlgorithm)
	}
	// PKCS #1 v1.5; over the bytes as they came, never over a message that was
	// read and written again.
	if err := cert.CheckSignature(x509.SHA256WithRSA, req.SerializedTokenRequest, req.Signature); err != nil {
		return nil, refuse(tokenpb.ErrorCode_BAD_SIGNATURE, "signature verification failed - %s", err)
	}
	ca, err := s.trust(cert, now)
	if err != nil {
		return nil, err
	}
	fqdn, lifetime, err := ca.allow(cert)
	if err != nil {
		return nil, refuse(tokenpb.ErrorCode_BAD_TOKEN_ARGUMENTS, "%s", err)
	}
	return s.token(&tokenpb.MachineTokenBody{
		MachineFqdn: fqdn,
		IssuedBy:    s.opts.Signer.Account(),
		IssuedAt:    uint64(now.Unix()),
		Lifetime:    uint64(lifetime / time.Second),
		CaId:        ca.ID,
		CertSn:      cert.SerialNumber.Bytes(),
	})
}

// token signs a token.
func (s *Server) token(body *tokenpb.MachineTokenBody) (*tokenpb.MachineTokenResponse, error) {
	token, err := s.opts.Signer.Token(body)
	if err != nil {
		return nil, &Error{Code: internal, Text: fmt.Sprintf("failed to generate machine token - %s", err)}
	}
	return &tokenpb.MachineTokenResponse{TokenType: &tokenpb.MachineTokenResponse_LuciMachineToken{
		LuciMachineToken: &tokenpb.LuciMachineToken{
			MachineToken: token,
			Expiry:       &timestamppb.Timestamp{Seconds: int64(body.IssuedAt + body.Lifetime)},
		},
	}}, nil
}

// trust returns the CA of a certificate that counts now: issued by that CA
// itself and not revoked. Chains, key usage and names are not looked at.
func (s *Server) trust(cert *x509.Certificate, now time.Time) (CA, error) {
	name := cert.Issuer.CommonName
	ca, ok := s.cas[name]
	if !ok {
		return CA{}, distrust("no such CA %q", name)
	}
	if now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return CA{}, distrust("certificate has expired")
	}
	if err := cert.CheckSignatureFrom(ca.Certificate); err != nil {
		return CA{}, distrust("%s", err)
	}
	if ca.CRL == nil {
		return ca, nil
	}
	der, err := ca.CRL()
	if err != nil {
		return CA{}, &Error{Code: internal, Text: fmt.Sprintf("failed to check the certificate - %s", err)}
	}
	list, err := ca.revocations(der)
	if err != nil {
		return CA{}, distrust("CRL of CA %q is not ready yet", name)
	}
	for _, entry := range list.RevokedCertificateEntries {
		if entry.SerialNumber.Cmp(cert.SerialNumber) == 0 {
			return CA{}, distrust("certificate with SN %s has been revoked", cert.SerialNumber)
		}
	}
	return ca, nil
}

// revocations reads a CRL. How old it is does not matter.
func (ca CA) revocations(der []byte) (*x509.RevocationList, error) {
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		return nil, err
	}
	return list, list.CheckSignatureFrom(ca.Certificate)
}

// allow returns the name for a certificate's token and how long the token
// lasts.
func (ca CA) allow(cert *x509.Certificate) (fqdn string, lifetime time.Duration, err error) {
	fqdn = machineName(cert)
	if fqdn == "" {
		return "", 0, errors.New("unsupported cert, Subject CN field is required")
	}
	_, domain, ok := strings.Cut(fqdn, ".")
	if !ok {
		return "", 0, fmt.Errorf("not a valid FQDN %q", fqdn)
	}
	i := slices.IndexFunc(ca.Domains, func(d Domain) bool {
		return slices.ContainsFunc(d.Names, func(name string) bool {
			return domain == name || strings.HasSuffix(domain, "."+name)
		})
	})
	if i < 0 {
		return "", 0, fmt.Errorf("the domain %q is not listed in the config", domain)
	}
	lifetime = ca.Domains[i].Lifetime.Truncate(time.Second)
	switch {
	case lifetime <= 0:
		return "", 0, fmt.Errorf("machine tokens for machines in domain %q are not allowed", domain)
	case cert.SerialNumber.Sign() <= 0:
		return "", 0, fmt.Errorf("invalid certificate serial number: %s", cert.SerialNumber)
	}
	return fqdn, lifetime, nil
}

// machineName returns the Common Name, or the first DNS name that continues it
// with a domain.
func machineName(cert *x509.Certificate) string {
	base := strings.ToLower(cert.Subject.CommonName)
	if base == "" {
		return ""
	}
	for _, name := range cert.DNSNames {
		if name = strings.ToLower(name); strings.HasPrefix(name, base+".") {
			return name
		}
	}
	return base
}
