package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/table"
	"golang.org/x/term"

	"gobuild/pkg/plain"
)

// palette is the set of styles that the commands speak in. Without colours
// every style leaves its text as it is.
type palette struct {
	good   lipgloss.Style // done, connected, passed
	bad    lipgloss.Style // failed, missing
	warn   lipgloss.Style // works, but look at it
	note   lipgloss.Style // hints and other side remarks
	dim    lipgloss.Style // what may be skipped in reading
	strong lipgloss.Style // headings, names
}

// palette returns the styles for what is written to stream. It uses the
// sixteen colours that every terminal has and its owner chose.
func (a *app) palette(stream io.Writer) palette {
	var p palette
	if !a.coloured(stream) {
		return p
	}
	if f, ok := stream.(*os.File); ok {
		lipgloss.EnableLegacyWindowsANSI(f)
	}
	p.good = p.good.Foreground(lipgloss.Green)
	p.bad = p.bad.Foreground(lipgloss.Red).Bold(true)
	p.warn = p.warn.Foreground(lipgloss.Yellow)
	p.note = p.note.Foreground(lipgloss.Cyan)
	p.dim = p.dim.Faint(true)
	p.strong = p.strong.Bold(true)
	return p
}

// printJSON writes v to stdout, indented, with a newline at the end.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// printTable writes rows below headers to stdout, in aligned columns without
// lines around them. Control characters in cells, which may come from
// strangers, are replaced.
func (a *app) printTable(headers []string, rows [][]string) error {
	p := a.palette(a.stdout)
	t := table.New().
		Border(lipgloss.HiddenBorder()).
		BorderTop(false).BorderBottom(false).BorderLeft(false).BorderRight(false).
		BorderHeader(false).BorderColumn(false).
		Headers(headers...).
		StyleFunc(func(row, col int) lipgloss.Style {
			style := lipgloss.NewStyle()
			if row == table.HeaderRow {
				style = p.strong
			}
			if col < len(headers)-1 {
				style = style.PaddingRight(2)
			}
			return style
		})
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = plain.Text(cell)
		}
		t.Row(cells...)
	}
	for line := range strings.Lines(t.String()) {
		if _, err := fmt.Fprintln(a.stdout, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// wrapLast wraps the last cell of each row to what the terminal has left beside
// the others, in further rows.
func (a *app) wrapLast(rows [][]string) [][]string {
	width := a.width(a.stdout)
	if width == 0 {
		return rows
	}
	left := 0
	for _, row := range rows {
		others := 0
		for _, cell := range row[:len(row)-1] {
			others += lipgloss.Width(cell) + 2
		}
		left = max(left, others)
	}
	var wrapped [][]string
	for _, row := range rows {
		last := len(row) - 1
		for i, line := range strings.Split(lipgloss.Wrap(row[last], max(width-left, 20), " "), "\n") {
			next := make([]string, last+1)
			if i == 0 {
				copy(next, row)
			}
			next[last] = line
			wrapped = append(wrapped, next)
		}
	}
	return wrapped
}

// width returns how many columns the terminal that stream is has for text; 0 if
// it is none.
func (a *app) width(stream io.Writer) int {
	f, ok := stream.(*os.File)
	if !ok || a.isTerminal == nil || !a.isTerminal(stream) {
		return 0
	}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width >= 40 {
		return min(width, 120) // longer lines are hard to read
	}
	return 0
}
