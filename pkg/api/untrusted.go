package api

import (
	"crypto/tls"
	"errors"
	"maps"
	"slices"
)

// untrusted reports whether err is about the server's certificate, which a
// second try would not change.
func untrusted(err error) bool {
	var cert *tls.CertificateVerificationError
	return errors.As(err, &cert)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
