package doctor

import (
	"bufio"
	"io"
	"slices"
	"strings"
)

// Cause is one known way in which a builder fails: how it shows in the logs,
// what is behind it, and what mends it.
type Cause struct {
	ID      string `json:"id"`      // kebab-case, never changed
	Program string `json:"program"` // that writes the text
	Section string `json:"section"` // of the protocol descriptions, "LUCI protocol, section 4"
	Title   string `json:"title"`
	Cause   string `json:"cause"`
	Remedy  string `json:"remedy"`
	Pattern string `json:"pattern"` // regular expression, RE2 syntax
}

// Explanation is a cause that was found in a log.
type Explanation struct {
	ID      string `json:"id"`
	Program string `json:"program"`
	Section string `json:"section"`
	Title   string `json:"title"`
	Cause   string `json:"cause"`  // with what the line names: hosts, files, codes
	Remedy  string `json:"remedy"` // likewise
	Line    int    `json:"line"`   // where it stands first; 1 is the first line
	Text    string `json:"text"`   // that line or its telling part, at most 300 bytes, fit to print, without secrets
	Count   int    `json:"count"`  // on how many lines it stands
}

// Causes returns the whole table. What a text would name is put generally.
func Causes() []Cause {
	var causes []Cause
	nothing := func(string) string { return "" }
	for i := range causeTable() {
		c := &causeTable()[i]
		causes = append(causes, Cause{
			ID: c.id, Program: c.program, Section: c.section, Title: c.title,
			Cause: fillIn(c.cause, nothing), Remedy: fillIn(c.remedy, nothing), Pattern: c.pattern.String(),
		})
	}
	return causes
}

// Explain reads a log to its end and returns the known failures in it, in the
// order in which they first appear. It takes what the programs write, alone or
// behind the prefixes of journald, syslog or docker, coloured or not, in UTF-8
// or in UTF-16 with a byte order mark, as it is or packed by gzip or bzip2; or
// the status file of luci_machine_tokend (LUCI protocol, section 7.7). A line
// is explained by the most specific cause that fits it. Memory use does not
// depend on the length of the log or of its lines.
//
// The error is that of r; what was found before it is returned beside it.
func Explain(r io.Reader) ([]Explanation, error) {
	r, err := unpacked(r)
	if err != nil {
		return nil, err
	}
	in := bufio.NewReaderSize(decodedLog(r), maxLogLine)
	s := logScan{seen: make(map[*knownCause]*sighting), specific: make(map[string]int)}
	in, err = s.status(in)
	if err == nil {
		err = s.lines(in)
	}
	return s.explanations(), err
}

// maxLogLine is how much of a line is looked at in one piece, in bytes.
const maxLogLine = 64 << 10

// A general cause says little where a specific one stands close by: that is
// what led to it, or what is said about it on the lines after.
const (
	linesBefore = 64
	linesAfter  = 4
)

// logScan is one pass over a log.
type logScan struct {
	seen     map[*knownCause]*sighting
	specific map[string]int // program to the last line with a specific cause of it
	scratch  []byte
}

// sighting is a cause that was seen.
type sighting struct {
	Explanation
	last int // line
}

func (s *logScan) lines(in *bufio.Reader) error {
	whole := true // the piece begins a line
	for n := 1; ; {
		piece, err := in.ReadSlice('\n')
		ends := err != bufio.ErrBufferFull
		text := piece
		if !whole {
			text = text[indexOr(text, ' ', len(text)):] // a word cut in two could be half a secret
		}
		if !ends {
			text = text[:lastIndexOr(text, ' ', 0)]
		}
		s.line(n, text)
		switch {
		case err == io.EOF:
			return nil
		case err != nil && ends:
			return err
		}
		whole = ends
		if ends {
			n++
		}
	}
}

// line looks for the first cause of the table that fits; a general one only if
// no other does.
func (s *logScan) line(n int, line []byte) {
	line = s.cleaned(line)
	candidates := causeFinder().find(line)
	if candidates.empty() {
		return
	}
	text := plainQuotes(line)
	var general *knownCause
	for i := range causeTable() {
		c := &causeTable()[i]
		if !candidates.has(i) || c.general != nil && general != nil || !c.pattern.Match(text) {
			continue
		}
		if c.general == nil {
			s.saw(c, n, text)
			return
		}
		general = c
	}
	if general != nil {
		s.saw(general, n, text)
	}
}

// saw counts a cause, unless a specific one makes it superfluous.
func (s *logScan) saw(c *knownCause, n int, text []byte) {
	for _, program := range c.general {
		if last, ok := s.specific[program]; ok && n-last <= linesBefore {
			return
		}
	}
	if c.general == nil {
		s.specific[c.program] = n
		s.forgetGeneral(c.program, n)
	}
	seen := s.seen[c]
	if seen == nil {
		match := c.pattern.FindSubmatchIndex(text)
		named := func(name string) string {
			if i := c.pattern.SubexpIndex(name); i >= 0 && match[2*i] >= 0 {
				return cutRight(redacted(showable(string(text[match[2*i]:match[2*i+1]]))), nameMax)
			}
			return ""
		}
		seen = &sighting{Explanation: Explanation{
			ID: c.id, Program: c.program, Section: c.section, Title: c.title,
			Cause: fillIn(c.cause, named), Remedy: fillIn(c.remedy, named),
			Line: n, Text: excerpt(text, match[0], match[1]),
		}}
		s.seen[c] = seen
	}
	seen.Count++
	seen.last = n
}

// forgetGeneral takes back what was counted for a general cause of program
// just before line n, where its specific cause stands.
func (s *logScan) forgetGeneral(program string, n int) {
	for c, seen := range s.seen {
		if !slices.Contains(c.general, program) || n-seen.last > linesAfter {
			continue
		}
		seen.last = -linesAfter - 1 // once
		if seen.Count--; seen.Count == 0 {
			delete(s.seen, c)
		}
	}
}

func (s *logScan) explanations() []Explanation {
	list := []Explanation{}
	for _, seen := range s.seen {
		list = append(list, seen.Explanation)
	}
	slices.SortFunc(list, func(a, b Explanation) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return strings.Compare(a.ID, b.ID)
	})
	return list
}
