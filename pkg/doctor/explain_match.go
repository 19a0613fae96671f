package doctor

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"

	"gobuild/pkg/lazyre"
)

// knownCause is a row of the table: a Cause with what finding it takes.
type knownCause struct {
	id, program, section, title string

	// pattern finds the text in one line. Its named groups are what cause and
	// remedy speak of, as {NAME,NAME|what to say without them}.
	pattern *regexp.Regexp

	cause, remedy string

	// general, if set, says that the text tells of a failure but not of its
	// reason; specific causes of these programs close by replace it.
	general []string
}

// causeTable returns all causes. Where two fit one line, the first is meant.
var causeTable = sync.OnceValue(newTable)

func newTable() []knownCause {
	return slices.Concat(gobuildCauses(), tokendCauses(), bootstrapCauses(), botCauses(), buildletCauses(), stage0Causes(), machineCauses())
}

var placeholder = lazyre.New(`\{([\w,]+)\|([^}]*)\}`)

// fillIn puts what named returns into the places of a text, or, where that is
// "", the words given there.
func fillIn(text string, named func(name string) string) string {
	return placeholder.ReplaceAllStringFunc(text, func(place string) string {
		m := placeholder.FindStringSubmatch(place)
		for name := range strings.SplitSeq(m[1], ",") {
			if s := named(name); s != "" {
				return s
			}
		}
		return m[2]
	})
}

// rowSet is a set of rows of the table.
type rowSet [3]uint64

// row returns the set of row i.
func row(i int) (s rowSet) {
	s[i/64] = 1 << (i % 64)
	return s
}

func (s *rowSet) add(t rowSet) {
	for i := range s {
		s[i] |= t[i]
	}
}

func (s rowSet) has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }
func (s rowSet) empty() bool    { return s == rowSet{} }

// automaton finds which rows of the table can fit a line at all, by the
// literal texts in their patterns, in one pass whose time does not depend on
// their number (Aho and Corasick). Nearly no line of a log gets past it to the
// regular expressions, which are some hundred times slower.
type automaton struct {
	class [256]uint8 // of a byte; 0: it is in no literal
	width int        // number of classes

	// next holds, at state+class, the state to go to. States are multiples of
	// width; ends is added to those in which a literal ends.
	next []uint32
	rows []rowSet // by state/width
}

const ends = 1 << 31

// causeFinder returns the automaton of the table.
var causeFinder = sync.OnceValue(func() *automaton { return newFinder(causeTable()) })

func newFinder(table []knownCause) *automaton {
	literals := make(map[string]rowSet)
	for i, c := range table {
		re, err := syntax.Parse(c.pattern.String(), syntax.Perl)
		if err != nil {
			panic(err) // it was compiled already
		}
		for _, lit := range requiredLiterals(re.Simplify()) {
			s := literals[lit]
			s.add(row(i))
			literals[lit] = s
		}
	}
	return newAutomaton(literals)
}

func newAutomaton(literals map[string]rowSet) *automaton {
	a := &automaton{width: 1}
	for lit := range literals {
		for _, b := range []byte(lit) {
			if a.class[b] == 0 {
				a.class[b] = uint8(a.width)
				a.width++
			}
		}
	}
	a.addState()
	for lit, rows := range literals {
		state := uint32(0)
		for _, b := range []byte(lit) {
			at := state + uint32(a.class[b])
			if a.next[at] == 0 {
				to := a.addState() // first: it moves next
				a.next[at] = to
			}
			state = a.next[at]
		}
		a.rowsOf(state).add(rows)
	}
	// Breadth first: where a state leads nowhere, go on as from its longest
	// proper suffix.
	suffix := make(map[uint32]uint32)
	for queue := []uint32{0}; len(queue) > 0; queue = queue[1:] {
		state := queue[0]
		for c := range uint32(a.width) {
			to, back := a.next[state+c], uint32(0)
			if state != 0 {
				back = a.next[suffix[state]+c]
			}
			if to == 0 {
				a.next[state+c] = back
				continue
			}
			suffix[to] = back
			a.rowsOf(to).add(*a.rowsOf(back))
			queue = append(queue, to)
		}
	}
	for i, to := range a.next {
		if !a.rowsOf(to).empty() {
			a.next[i] = to | ends
		}
	}
	return a
}

func (a *automaton) addState() uint32 {
	state := len(a.next)
	a.next = append(a.next, make([]uint32, a.width)...)
	a.rows = append(a.rows, rowSet{})
	return uint32(state)
}

func (a *automaton) rowsOf(state uint32) *rowSet { return &a.rows[int(state)/a.width] }

// find returns the rows of which a literal stands in line.
func (a *automaton) find(line []byte) rowSet {
	var found rowSet
	state := uint32(0)
	for _, b := range line {
		state = a.next[state+uint32(a.class[b])]
		if state&ends != 0 {
			state &^= ends
			found.add(*a.rowsOf(state))
		}
	}
	return found
}

// requiredLiterals returns literals of which at least one stands in every text
// that re matches, and as long ones as can be had; nil if there are none.
func requiredLiterals(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase == 0 {
			// Without quotes, which a log may have escaped.
			parts := strings.Split(string(re.Rune), `"`)
			return []string{slices.MaxFunc(parts, func(a, b string) int { return len(a) - len(b) })}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return requiredLiterals(re.Sub[0])
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			lits := requiredLiterals(sub)
			if lits == nil {
				return nil
			}
			all = append(all, lits...)
		}
		return all
	case syntax.OpConcat:
		var best []string
		for _, sub := range re.Sub {
			if lits := requiredLiterals(sub); shortestLen(lits) > shortestLen(best) {
				best = lits
			}
		}
		return best
	}
	return nil
}

func shortestLen(literals []string) int {
	n := 0
	for i, lit := range literals {
		if i == 0 || len(lit) < n {
			n = len(lit)
		}
	}
	return n
}

// Words of operating systems that patterns are made of: Unix, Windows, Plan 9.
const (
	osNotFound = `(?:no such file or directory|The system cannot find the (?:file|path) specified|does not exist)`
	osDenied   = `(?:permission denied|operation not permitted|Access is denied)`
	osRefused  = `(?:connection refused|actively refused it)`
	osDiskFull = `(?:no space left on device|No space left on device|not enough space on the disk|disk quota exceeded|Disk quota exceeded)`
)

// pat compiles the pattern of a row. WORD stands for a word without quotes,
// as file names, hosts and codes are.
func pat(expr string) *regexp.Regexp {
	return regexp.MustCompile(strings.ReplaceAll(expr, "WORD", `[^\s"'<>,;]+`))
}
