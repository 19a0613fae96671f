package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"charm.land/lipgloss/v2"
	"golang.org/x/term"

	"gobuild/pkg/api"
	"gobuild/pkg/plain"
)

// column is a column of the status. One that a terminal has no room for is
// left out, the one with the highest rank first; rank 0 stays. What matters in
// it is then said below the row.
type column struct {
	header string
	rank   int
	below  string // format of the cell below the row; empty: it is not said
	cells  []string
}

// remark is a line below a row.
type remark struct {
	text string
	bad  bool
}

// statusTable is a table with remarks below its rows.
type statusTable struct {
	columns []column
	remarks [][]remark // by row
	style   func(header, cell string) lipgloss.Style
}

// printPool shows a coordinator's pool.
func (a *app) printPool(url string, pool api.Pool) error {
	if a.jsonOut {
		return a.printJSON(pool)
	}
	p := a.palette(a.stdout)
	fmt.Fprintln(a.stdout, p.strong.Render("Reverse pool of "+url))
	if len(pool.Hosts) == 0 {
		fmt.Fprintln(a.stdout, "no machine is connected")
	} else if err := a.printStatusTable(a.machines(pool.Hosts)); err != nil {
		return err
	}
	if len(pool.Types) > 0 {
		fmt.Fprintln(a.stdout)
		var rows [][]string
		for _, t := range pool.Types {
			expected := "any"
			if t.Expected > 0 {
				expected = fmt.Sprint(t.Expected)
			}
			rows = append(rows, []string{t.Name, fmt.Sprint(t.InUse), fmt.Sprint(t.Total), expected, fmt.Sprint(t.Waiting)})
		}
		if err := a.printTable([]string{"HOST TYPE", "IN USE", "CONNECTED", "EXPECTED", "WAITING"}, rows); err != nil {
			return err
		}
	}
	if len(pool.Gone) > 0 {
		fmt.Fprintln(a.stdout)
		return a.printStatusTable(a.departed(pool.Gone))
	}
	return nil
}

// machines is the table of those that are connected.
func (a *app) machines(hosts []api.Host) statusTable {
	p := a.palette(a.stdout)
	t := statusTable{
		columns: []column{
			{header: "HOST NAME"},
			{header: "HOST TYPE", rank: 1, below: "as %s"},
			{header: "STATE"},
			{header: "PROGRAM", rank: 2, below: "it runs %s"},
			{header: "INSTANCE", rank: 3, below: "held by %s"},
			{header: "ADDRESS", rank: 4},
			{header: "CONNECTED", rank: 5},
		},
		style: func(header, cell string) (style lipgloss.Style) {
			if header != "STATE" {
				return style
			}
			switch state, _, _ := strings.Cut(cell, " "); api.HostState(state) {
			case api.HostIdle:
				return p.good
			case api.HostPaused, api.HostDraining:
				return p.warn
			case api.HostQuarantined:
				return p.bad
			}
			return style
		},
	}
	for _, h := range hosts {
		program := h.Program
		if program == "" {
			program = "upstream's, version " + h.Version
		}
		t.add(h.Hostname, h.HostType, fmt.Sprintf("%s %s", h.State, span(h.Since)), program, h.Instance, h.Addr, span(h.Connected))
		t.remark(false, "%s", h.Why)
		for _, c := range h.ClaimedBy {
			t.remark(true, "%s, tried %s ago (%d times) to register under this name, which stays with %s", c.Addr, span(c.When), c.Times, h.Addr)
		}
		for _, twin := range h.Twins {
			t.remark(true, "%s has the same host name as %s", h.Addr, twin)
		}
		if s := h.LastStrays; s != nil {
			t.remark(true, "instance %s left processes behind %s ago, which were killed: %s", s.Instance, span(s.When), strings.Join(s.Processes, ", "))
		}
	}
	return t
}

// departed is the table of those that have left.
func (a *app) departed(gone []api.HostGone) statusTable {
	t := statusTable{columns: []column{
		{header: "LATELY GONE"}, {header: "HOST TYPE", rank: 1, below: "as %s"}, {header: "WHEN"}, {header: "ADDRESS", rank: 2},
	}}
	for _, g := range gone {
		t.add(g.Hostname, g.HostType, span(g.When)+" ago", g.Addr)
		t.remark(false, "%s", g.Why)
	}
	return t
}

// add adds a row.
func (t *statusTable) add(cells ...string) {
	for i := range t.columns {
		t.columns[i].cells = append(t.columns[i].cells, plain.Text(cells[i]))
	}
	t.remarks = append(t.remarks, nil)
}

// remark adds a line below the last row, unless it says nothing.
func (t *statusTable) remark(bad bool, format string, args ...any) {
	text := strings.TrimSpace(plain.Text(fmt.Sprintf(format, args...)))
	if last := len(t.remarks) - 1; text != "" {
		t.remarks[last] = append(t.remarks[last], remark{text, bad})
	}
}

// fit leaves out columns until the table is no wider than width; 0 is any.
func (t *statusTable) fit(width int) {
	for width > 0 && t.width() > width {
		drop := slices.MaxFunc(t.columns, func(a, b column) int { return a.rank - b.rank })
		if drop.rank == 0 {
			return
		}
		t.columns = slices.DeleteFunc(t.columns, func(c column) bool { return c.header == drop.header })
		for row, cell := range drop.cells {
			if drop.below != "" && cell != "" {
				t.remarks[row] = slices.Insert(t.remarks[row], 0, remark{text: fmt.Sprintf(drop.below, cell)})
			}
		}
	}
}

// columnGap is between two columns.
const columnGap = 2

// width returns the width of a column.
func (c column) width() int {
	width := utf8.RuneCountInString(c.header)
	for _, cell := range c.cells {
		width = max(width, utf8.RuneCountInString(cell))
	}
	return width
}

// width returns the width of the table.
func (t *statusTable) width() int {
	width := -columnGap
	for _, c := range t.columns {
		width += c.width() + columnGap
	}
	return width
}

// printStatusTable writes t to stdout, as wide as that is.
func (a *app) printStatusTable(t statusTable) error {
	p := a.palette(a.stdout)
	width := a.stdoutWidth()
	t.fit(width)
	line := func(cell func(c column) string, style func(c column) lipgloss.Style) error {
		var b strings.Builder
		for i, c := range t.columns {
			text := cell(c)
			b.WriteString(style(c).Render(text))
			if i < len(t.columns)-1 {
				b.WriteString(strings.Repeat(" ", c.width()-utf8.RuneCountInString(text)+columnGap))
			}
		}
		_, err := fmt.Fprintln(a.stdout, strings.TrimRight(b.String(), " "))
		return err
	}
	if err := line(func(c column) string { return c.header }, func(column) lipgloss.Style { return p.strong }); err != nil {
		return err
	}
	for row, remarks := range t.remarks {
		err := line(func(c column) string { return c.cells[row] }, func(c column) (style lipgloss.Style) {
			if t.style != nil {
				style = t.style(c.header, c.cells[row])
			}
			return style
		})
		if err != nil {
			return err
		}
		for _, r := range remarks {
			style := p.dim
			if r.bad {
				style = p.warn
			}
			printRemark(a.stdout, style, r.text, width)
		}
	}
	return nil
}

// printRemark writes text, indented, in lines that are no longer than width;
// 0 is any.
func printRemark(w io.Writer, style lipgloss.Style, text string, width int) {
	const first, next = "    ", "      "
	indent, line := first, ""
	for _, word := range strings.Fields(text) {
		if line != "" && width > 0 && utf8.RuneCountInString(indent+line+" "+word) > width {
			fmt.Fprintln(w, indent+style.Render(line))
			indent, line = next, ""
		}
		line = strings.TrimLeft(line+" "+word, " ")
	}
	fmt.Fprintln(w, indent+style.Render(line))
}

// stdoutWidth returns how many columns a terminal has; 0 elsewhere.
func (a *app) stdoutWidth() int {
	if f, ok := a.stdout.(*os.File); ok && a.isTerminal(a.stdout) {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			return width
		}
	}
	return 0
}

// span returns the time since t in its two largest units, as 2h13m.
func span(t time.Time) string {
	d := max(time.Since(t), 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd", int(d.Hours())/24)
}
