package botcert

import "encoding/asn1"

// Object identifiers by which the outermost layer of a binary file is known.
var (
	oidData       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
)

// kindOfOuterDER knows what crypto/x509 does not read: PKCS#12 (RFC 7292),
// PKCS#7 (RFC 2315) and encrypted PKCS#8 keys (RFC 5958).
func kindOfOuterDER(der []byte) kind {
	type content struct {
		Type asn1.ObjectIdentifier
		Rest asn1.RawValue `asn1:"explicit,tag:0,optional"`
	}
	var pkcs12 struct {
		Version int
		Safe    content
		Mac     asn1.RawValue `asn1:"optional"`
	}
	if rest, err := asn1.Unmarshal(der, &pkcs12); err == nil && len(rest) == 0 && pkcs12.Version == 3 &&
		(pkcs12.Safe.Type.Equal(oidData) || pkcs12.Safe.Type.Equal(oidSignedData)) {
		return kindPKCS12
	}
	var pkcs7 content
	if rest, err := asn1.Unmarshal(der, &pkcs7); err == nil && len(rest) == 0 && pkcs7.Type.Equal(oidSignedData) {
		return kindPKCS7
	}
	var encrypted struct {
		Algorithm struct {
			ID         asn1.ObjectIdentifier
			Parameters asn1.RawValue `asn1:"optional"`
		}
		Data []byte
	}
	if rest, err := asn1.Unmarshal(der, &encrypted); err == nil && len(rest) == 0 && len(encrypted.Data) > 0 {
		return kindEncryptedKey
	}
	return ""
}
