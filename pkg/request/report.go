package request

import (
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf16"

	"gobuild/pkg/hint"
	"gobuild/pkg/lazyre"
)

// AddReport adds the machine's readiness report, of which it keeps as much as
// there is room for: UTF-8, or UTF-16 as Windows' PowerShell writes it. Names
// of home directories are left out. If it is an error, d is as it was.
func (d *Draft) AddReport(report string) error {
	report = decode(report)
	if strings.Contains(report, "\x00") {
		return hint.With(errors.New("the readiness report is not a text"), "give what gobuild doctor printed")
	}
	with := *d
	with.parts.Report = shorten(homeRE.ReplaceAllString(plain(report), "$1~$2"), maxReport)
	if err := with.word(); err != nil {
		return err
	}
	*d = with
	return nil
}

// decode returns text as UTF-8 without a byte order mark; one of UTF-16 tells
// that it is that.
func decode(text string) string {
	var order binary.ByteOrder
	switch {
	case strings.HasPrefix(text, "\xff\xfe"):
		order = binary.LittleEndian
	case strings.HasPrefix(text, "\xfe\xff"):
		order = binary.BigEndian
	default:
		return strings.TrimPrefix(text, "\ufeff")
	}
	var units []uint16
	for data := []byte(text[2:]); len(data) >= 2; data = data[2:] {
		units = append(units, order.Uint16(data))
	}
	return string(utf16.Decode(units))
}

// homeRE finds a home directory by its usual place: its name tells who its
// owner is. On Windows the name may have blanks if something follows it.
var homeRE = lazyre.New(`(^|[^\w./\\~-])` +
	`(?:(?:/export|/usr|/var)?/home/[^\s/:;,"'()]+|/Users/[^\s/:;,"'()]+|(?i:[a-z]:\\users\\)(?:[^\\/:"\n]+(\\)|[^\s\\/:;,"'()]+))`)
