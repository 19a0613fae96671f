package machinetoken

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// Body is what a machine token says about itself (LUCI protocol, section 5).
type Body struct {
	// FQDN is the name of the machine, in small letters.
	FQDN string
	// IssuedBy is the e-mail address of the token server.
	IssuedBy string
	// Issued is when the token begins, Lifetime how long it lasts.
	Issued   time.Time
	Lifetime time.Duration
}

// ParseToken returns what a machine token says about itself, without a look
// at its signature. The error never shows the token.
func ParseToken(token string) (Body, error) {
	envelope, err := base64.RawStdEncoding.DecodeString(token)
	if err != nil {
		return Body{}, errors.New("the machine token is no base64 without padding")
	}
	var body []byte
	err = fields(envelope, func(number uint64, _ uint64, data []byte) {
		if number == 1 {
			body = data
		}
	})
	if err != nil {
		return Body{}, fmt.Errorf("envelope of the machine token: %w", err)
	}
	var b Body
	var issued, lifetime uint64
	err = fields(body, func(number uint64, n uint64, data []byte) {
		switch number {
		case 1:
			b.FQDN = string(data)
		case 2:
			b.IssuedBy = string(data)
		case 3:
			issued = n
		case 4:
			lifetime = n
		}
	})
	switch {
	case err != nil:
		return Body{}, fmt.Errorf("body of the machine token: %w", err)
	case b.FQDN == "":
		return Body{}, errors.New("the machine token names no machine")
	case issued > math.MaxInt32<<8 || lifetime > math.MaxInt32:
		return Body{}, errors.New("the times in the machine token cannot be true")
	}
	b.Issued = time.Unix(int64(issued), 0)
	b.Lifetime = time.Duration(lifetime) * time.Second
	return b, nil
}

// fields calls field for each field of a message in protobuf's wire form: with
// n for a varint, with data for what has a length.
func fields(message []byte, field func(number, n uint64, data []byte)) error {
	errEnd := errors.New("it is no protobuf message, or breaks off")
	varint := func() (uint64, bool) {
		n, size := binary.Uvarint(message)
		if size <= 0 {
			return 0, false
		}
		message = message[size:]
		return n, true
	}
	for len(message) > 0 {
		tag, ok := varint()
		if !ok || tag>>3 == 0 {
			return errEnd
		}
		var n uint64
		var data []byte
		size := uint64(0)
		switch tag & 7 {
		case 0:
			n, ok = varint()
		case 1:
			size = 8
		case 2:
			size, ok = varint()
		case 5:
			size = 4
		default:
			return errEnd
		}
		if !ok || size > uint64(len(message)) {
			return errEnd
		}
		data, message = message[:size], message[size:]
		field(tag>>3, n, data)
	}
	return nil
}
