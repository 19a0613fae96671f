package unit

import (
	"encoding/xml"
	"strings"
)

// plain reports whether a word means itself in every format that has words: it
// is left as it is, which is easier to read.
func plain(word string) bool {
	for _, r := range word {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_./:=,@+", r) {
			return false
		}
	}
	return word != ""
}

// quoteShell quotes a word for POSIX's sh.
func quoteShell(word string) string {
	if plain(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// quoteRC quotes a word for Plan 9's rc.
func quoteRC(word string) string {
	if plain(word) && !strings.Contains(word, "=") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", "''") + "'"
}

// quoteSystemd quotes a word of a setting that is split into words, and in
// which % begins a specifier (systemd.syntax(7), systemd.unit(5)).
func quoteSystemd(word string) string {
	if plain(word) {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%").Replace(word) + `"`
}

// quoteExec is quoteSystemd for ExecStart=, where $ begins a variable too
// (systemd.service(5), command lines).
func quoteExec(word string) string {
	return strings.ReplaceAll(quoteSystemd(word), "$", "$$")
}

// plainSystemd writes a setting that is not split into words, such as
// WorkingDirectory=.
func plainSystemd(text string) string { return strings.ReplaceAll(text, "%", "%%") }

// quoteXML quotes text for XML.
func quoteXML(text string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}

// quoteSMF quotes a shell word for an exec attribute of an SMF manifest, where
// % begins a method token (smf_method(7)).
func quoteSMF(word string) string {
	return quoteXML(strings.ReplaceAll(quoteShell(word), "%", "%%"))
}

// quotePowerShell quotes a string for PowerShell, which takes typographic
// quotes for plain ones.
func quotePowerShell(text string) string {
	return "'" + strings.NewReplacer("'", "''", "‘", "‘‘", "’", "’’", "‚", "‚‚", "‛", "‛‛").Replace(text) + "'"
}

// quoteWindows quotes an argument as CommandLineToArgvW reads it.
func quoteWindows(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\"") {
		return word
	}
	var b strings.Builder
	b.WriteByte('"')
	slashes := 0
	for i := range len(word) {
		switch c := word[i]; c {
		case '\\':
			slashes++
		case '"':
			b.WriteString(strings.Repeat(`\`, slashes+1)) // double those before, and one for the quote
			slashes = 0
		default:
			slashes = 0
		}
		b.WriteByte(word[i])
	}
	b.WriteString(strings.Repeat(`\`, slashes))
	b.WriteByte('"')
	return b.String()
}

// joinQuoted quotes each word and joins them with blanks.
func joinQuoted(quote func(string) string, words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = quote(word)
	}
	return strings.Join(quoted, " ")
}

// assign quotes the value of KEY=VALUE.
func assign(quote func(string) string, pair string) string {
	key, value, _ := strings.Cut(pair, "=")
	return key + "=" + quote(value)
}
