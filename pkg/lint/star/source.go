package star

import (
	"bytes"
	"errors"
	"fmt"
	"go/scanner"
	"go/token"
	"slices"
	"sort"
	"unicode/utf8"

	"go.starlark.net/syntax"

	"gobuild/pkg/hint"
)

// maxSize is how long a main.star may be: ten times upstream's. The parser
// makes a tree as deep as a chain of operators is long.
const maxSize = 1 << 20

// Source is a main.star that was read.
type Source struct {
	Name   string
	Text   []byte
	Stmts  []syntax.Stmt     // the statements that could be parsed
	Syntax scanner.ErrorList // what could not be parsed

	lines    []int // where each line begins in Text
	comments []piece
	*evaluator
	model
}

// piece is a part of the text.
type piece struct{ start, end int }

// Read reads a main.star. Syntax errors are told in the Source, one for each
// statement that has any, and the other statements are there; the error is
// about a text that is not looked at.
func Read(name string, text []byte) (*Source, error) {
	if len(text) > maxSize {
		err := fmt.Errorf("%s has %d bytes: definitions of more than %d are not read", name, len(text), maxSize)
		return nil, hint.With(err, "is it the main.star of golang/build's branch luci-config?")
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return nil, fmt.Errorf("%s is no text: there is a zero byte in it", name)
	}
	s := &Source{Name: name, Text: text, lines: lineStarts(text)}
	starts := s.scan()
	f, err := new(syntax.FileOptions).Parse(name, text, 0)
	switch {
	case err == nil:
		s.Stmts = f.Stmts
	default:
		s.parsePieces(starts)
		if len(s.Syntax) == 0 {
			s.addError(err)
		}
		s.Syntax.Sort()
	}
	s.evaluator = newEvaluator(s.Stmts)
	s.evaluator.load()
	s.model = newModel(s.evaluator)
	return s, nil
}

// parsePieces parses the text statement by statement: the parser stops at the
// first mistake.
func (s *Source) parsePieces(starts []int) {
	starts = slices.Compact(append(append([]int{0}, starts...), len(s.Text)))
	for i := range len(starts) - 1 {
		from := starts[i]
		f, err := new(syntax.FileOptions).Parse(s.Name, syntax.FilePortion{
			Content: s.Text[from:starts[i+1]], FirstLine: int32(s.at(from).Line), FirstCol: 1,
		}, 0)
		if err != nil {
			s.addError(err)
			continue
		}
		s.Stmts = append(s.Stmts, f.Stmts...)
	}
}

// addError takes in an error of the parser.
func (s *Source) addError(err error) {
	var e syntax.Error
	if !errors.As(err, &e) {
		s.Syntax.Add(token.Position{Filename: s.Name, Line: 1, Column: 1}, err.Error())
		return
	}
	s.Syntax.Add(s.at(s.offset(e.Pos)), e.Msg)
}

// scan finds the comments, and where the statements of the top level begin: at
// a name in the first column that is in no string and no bracket. A def or an
// assignment begins one even where a bracket is open, because then the bracket
// is the mistake.
func (s *Source) scan() (starts []int) {
	text, depth := s.Text, 0
	for i := 0; i < len(text); i++ {
		if i == 0 || text[i-1] == '\n' {
			if head := text[i:min(len(text), i+200)]; depth == 0 && isNameStart(head) || isStatement(head) {
				starts = append(starts, i)
				depth = 0
			}
		}
		switch c := text[i]; c {
		case '#':
			end := i
			for end < len(text) && text[end] != '\n' && text[end] != '\r' {
				end++
			}
			s.comments = append(s.comments, piece{i, end})
			i = end - 1
		case '"', '\'':
			i = stringEnd(text, i) - 1
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth = max(0, depth-1)
		}
	}
	return starts
}

// stringEnd returns the end of the string that begins at i. One of a single
// line ends with it.
func stringEnd(text []byte, i int) int {
	quote := text[i : i+1]
	if triple := bytes.Repeat(quote, 3); bytes.HasPrefix(text[i:], triple) {
		quote = triple
	}
	for i += len(quote); i < len(text); i++ {
		switch {
		case text[i] == '\\':
			i++
		case text[i] == '\n' && len(quote) == 1:
			return i
		case bytes.HasPrefix(text[i:], quote):
			return i + len(quote)
		}
	}
	return len(text)
}

// isNameStart reports whether a line begins with a name that begins a
// statement.
func isNameStart(line []byte) bool {
	if len(line) == 0 || bytes.HasPrefix(line, []byte("else")) || bytes.HasPrefix(line, []byte("elif")) {
		return false
	}
	c := line[0]
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// isStatement reports whether a line is surely the beginning of a statement.
func isStatement(line []byte) bool {
	if bytes.HasPrefix(line, []byte("def ")) || bytes.HasPrefix(line, []byte("load(")) {
		return true
	}
	if !isNameStart(line) {
		return false
	}
	i := bytes.IndexFunc(line, func(r rune) bool { return r != '_' && (r < 'A' || r > 'Z') && (r < '0' || r > '9') })
	return i > 0 && bytes.HasPrefix(line[i:], []byte(" = "))
}

// lineStarts returns where each line begins.
func lineStarts(text []byte) []int {
	starts := []int{0}
	for i, c := range text {
		// As the scanner of Starlark counts: \r\n is one line end, \r alone too.
		if c == '\n' || c == '\r' && (i+1 == len(text) || text[i+1] != '\n') {
			starts = append(starts, i+1)
		}
	}
	return starts
}

// at returns the place of an offset; columns count bytes.
func (s *Source) at(offset int) token.Position {
	offset = min(max(offset, 0), len(s.Text))
	line := sort.SearchInts(s.lines, offset+1)
	return token.Position{Filename: s.Name, Offset: offset, Line: line, Column: offset - s.lines[line-1] + 1}
}

// offset returns the offset of a place that the parser tells; its columns
// count runes.
func (s *Source) offset(pos syntax.Position) int {
	line := min(max(int(pos.Line), 1), len(s.lines))
	offset := s.lines[line-1]
	for range pos.Col - 1 {
		_, size := utf8.DecodeRune(s.Text[offset:])
		offset += size
	}
	return offset
}

// offsets returns where a node is in the text.
func (s *Source) offsets(n syntax.Node) (start, end int) {
	from, to := n.Span()
	start = s.offset(from)
	return start, max(start, s.offset(to))
}
