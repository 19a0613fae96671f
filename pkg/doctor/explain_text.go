package doctor

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"gobuild/pkg/hint"
	"gobuild/pkg/lazyre"
)

// unpacked returns what is in r, which may be a log that was put away: packed
// by gzip or bzip2. For other packers, which the standard library has not, the
// error says what to do.
func unpacked(r io.Reader) (io.Reader, error) {
	in := bufio.NewReaderSize(r, maxLogLine)
	mark, _ := in.Peek(6)
	has := func(magic string) bool { return bytes.HasPrefix(mark, []byte(magic)) }
	switch {
	case has("\x1f\x8b"):
		return gzip.NewReader(in)
	case has("BZh") && len(mark) > 4 && mark[4] == '1': // a block begins with pi, in BCD
		return bzip2.NewReader(in), nil
	case has("\xfd7zXZ\x00"):
		return nil, hint.With(errors.New("it is packed by xz"), "xzcat FILE | gobuild doctor --explain -")
	case has("\x28\xb5\x2f\xfd"):
		return nil, hint.With(errors.New("it is packed by zstd"), "zstdcat FILE | gobuild doctor --explain -")
	case has("\x7fELF"), has("MZ\x90"), has("\xcf\xfa\xed\xfe"):
		return nil, hint.With(errors.New("it is a program"), "name the log of the program")
	case has("PK\x03\x04"):
		return nil, hint.With(errors.New("it is a zip file"), "the Swarming bot's log is logs/swarming_bot.log, beside its zip")
	case has("LPKSHH"):
		return nil, hint.With(errors.New("it is a journal of systemd"), "journalctl --file FILE | gobuild doctor --explain -")
	}
	return in, nil
}

// decodedLog returns r's text as UTF-8 without a byte order mark. UTF-16 is what
// PowerShell's ">" makes of a program's output.
func decodedLog(r io.Reader) io.Reader {
	in := bufio.NewReaderSize(r, maxLogLine)
	mark, _ := in.Peek(3)
	switch {
	case bytes.HasPrefix(mark, []byte{0xef, 0xbb, 0xbf}):
		in.Discard(3)
	case bytes.HasPrefix(mark, []byte{0xff, 0xfe}):
		in.Discard(2)
		return &utf16Reader{in: in}
	case bytes.HasPrefix(mark, []byte{0xfe, 0xff}):
		in.Discard(2)
		return &utf16Reader{in: in, bigEndian: true}
	}
	return in
}

// utf16Reader turns UTF-16 into UTF-8.
type utf16Reader struct {
	in        *bufio.Reader
	bigEndian bool
	high      rune // half of a pair, waiting for the other
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	if len(p) < 2*utf8.UTFMax {
		return 0, io.ErrShortBuffer
	}
	out := p[:0]
	for len(out)+2*utf8.UTFMax <= len(p) {
		unit, err := u.unit()
		if err != nil {
			if u.high != 0 {
				out, u.high = utf8.AppendRune(out, utf8.RuneError), 0
			}
			if len(out) > 0 {
				return len(out), nil
			}
			return 0, err
		}
		if u.high != 0 {
			if r := utf16.DecodeRune(u.high, unit); r != utf8.RuneError {
				out, u.high = utf8.AppendRune(out, r), 0
				continue
			}
			out, u.high = utf8.AppendRune(out, utf8.RuneError), 0
		}
		if utf16.IsSurrogate(unit) {
			u.high = unit
			continue
		}
		out = utf8.AppendRune(out, unit)
	}
	return len(out), nil
}

func (u *utf16Reader) unit() (rune, error) {
	a, err := u.in.ReadByte()
	if err != nil {
		return 0, err
	}
	b, err := u.in.ReadByte()
	if err != nil {
		return 0, err
	}
	if u.bigEndian {
		a, b = b, a
	}
	return rune(a) | rune(b)<<8, nil
}

// cleaned returns line without colours and NULs. The latter are half of what
// UTF-16 without its mark, or in the middle of another text, consists of.
func (s *logScan) cleaned(line []byte) []byte {
	if bytes.IndexByte(line, 0x1b) < 0 && bytes.IndexByte(line, 0) < 0 {
		return line
	}
	s.scratch = s.scratch[:0]
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == 0:
		case line[i] == 0x1b && i+1 < len(line) && line[i+1] == '[':
			// A control sequence: its parameters, then one final byte.
			for i += 2; i < len(line) && line[i] < 0x40; i++ {
			}
		default:
			s.scratch = append(s.scratch, line[i])
		}
	}
	return s.scratch
}

// plainQuotes returns line with the quotes inside of quoted strings, as in JSON
// or in slog's texts, made plain.
func plainQuotes(line []byte) []byte {
	if bytes.IndexByte(line, '\\') < 0 {
		return line
	}
	return escapedQuote.ReplaceAll(line, []byte(`"`))
}

var escapedQuote = lazyre.New(`\\+"`)

const (
	excerptMax  = 300     // bytes of an excerpt
	excerptLead = 100     // of them before the match, in a longer line
	nameMax     = 200     // of what is woven into cause and remedy
	secretMax   = 4 << 10 // no secret is longer
)

// excerpt returns line as it may be shown: the whole if it is short, else what
// is around the match.
func excerpt(line []byte, from, to int) string {
	// Far more than is shown, so that secrets are whole and known by their form.
	start, end := 0, len(line)
	if from > secretMax {
		start = from - secretMax
		start += indexOr(line[start:from], ' ', secretMax)
	}
	if end-to > secretMax {
		end = to + lastIndexOr(line[to:to+secretMax], ' ', 0)
	}
	text := strings.TrimSpace(redacted(showable(string(line[start:end]))))
	if len(text) <= excerptMax {
		return text
	}
	at := max(0, strings.Index(text, redacted(showable(string(line[from:to])))))
	lead := ""
	if at > excerptLead {
		lead, text = "…", text[at-excerptLead:]
	}
	return strings.ToValidUTF8(lead+cutRight(text, excerptMax-len(lead)), "")
}

// cutRight returns s, or its first bytes with a sign that there are more.
func cutRight(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n-len("…")], "") + "…"
}

// showable returns s without what a terminal might obey.
func showable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\r':
			return ' '
		case r == utf8.RuneError:
			return '?'
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
}

const redactedMark = "[redacted]"

var (
	namedSecret = lazyre.New(`(?i)((?:token|authorization|cookie|passw(?:or)?d|secret|-key|_key|apikey)"?\s*[:=]\s*"?(?:(?:bearer|basic) )?)([^\s"',;]{8,})`)
	urlSecret   = lazyre.New(`://[^/\s@"']+@`)
	formSecret  = lazyre.New(`\bgh[pousr]_\w{20,}|\bgithub_pat_\w+|\bya29\.[\w-]+|\beyJ[\w-]+\.[\w-]+(?:\.[\w-]+)?`)
	hexSecret   = lazyre.New(`\b[0-9a-fA-F]{32,}\b`)
	longRun     = lazyre.New(`[A-Za-z0-9+/_-]{40,}=*`)
)

// redacted returns s without what may be a secret: builder keys (32 hex
// digits), machine tokens and private keys (base64), passwords in addresses,
// whatever is called a token or a key. Digests go with them.
func redacted(s string) string {
	s = namedSecret.ReplaceAllString(s, "${1}"+redactedMark)
	s = urlSecret.ReplaceAllString(s, "://"+redactedMark+"@")
	s = formSecret.ReplaceAllString(s, redactedMark)
	s = hexSecret.ReplaceAllString(s, redactedMark)
	return longRun.ReplaceAllStringFunc(s, func(run string) string {
		if looksRandom(run) {
			return redactedMark
		}
		return run
	})
}

// looksRandom tells base64 from long paths and names: a third or more of
// base64 is capitals and digits, and it has few slashes.
func looksRandom(run string) bool {
	var lower, upper, digits, slashes int
	for _, b := range []byte(run) {
		switch {
		case 'a' <= b && b <= 'z':
			lower++
		case 'A' <= b && b <= 'Z':
			upper++
		case '0' <= b && b <= '9':
			digits++
		case b == '/':
			slashes++
		}
	}
	return lower > 0 && upper > 0 && digits > 0 && 3*(upper+digits) >= len(run) && 12*slashes <= len(run)
}

func indexOr(b []byte, c byte, or int) int {
	if i := bytes.IndexByte(b, c); i >= 0 {
		return i
	}
	return or
}

func lastIndexOr(b []byte, c byte, or int) int {
	if i := bytes.LastIndexByte(b, c); i >= 0 {
		return i
	}
	return or
}
