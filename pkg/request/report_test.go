package request

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"
)

// utf16Text returns text as Windows writes it, with a byte order mark.
func utf16Text(text string, order binary.AppendByteOrder) string {
	var data []byte
	for _, unit := range utf16.Encode([]rune("\ufeff" + text)) {
		data = order.AppendUint16(data, unit)
	}
	return string(data)
}

func TestReportEncodings(t *testing.T) {
	const want = "\n```text\nok  añ 😀\nlast\n```\n"
	for name, report := range map[string]string{
		"UTF-8":       "ok  añ 😀\nlast\n",
		"with a mark": "\ufeffok  añ 😀\r\nlast\r\n",
		"PowerShell":  utf16Text("ok  añ 😀\r\nlast\r\n", binary.LittleEndian),
		"big endian":  utf16Text("ok  añ 😀\nlast", binary.BigEndian),
	} {
		d := mustDraft(t)
		if err := d.AddReport(report); err != nil || !strings.Contains(d.Body, want) {
			t.Errorf("%s: %v\n%s", name, err, d.Body)
		}
	}
	for name, report := range map[string]string{
		"secret":  utf16Text("key:\n-----BEGIN RSA PRIVATE KEY-----\n", binary.LittleEndian),
		"no mark": strings.TrimPrefix(utf16Text("-----BEGIN RSA PRIVATE KEY-----\n", binary.LittleEndian), "\xff\xfe"),
		"binary":  "\x7fELF\x00",
	} {
		d := mustDraft(t)
		before := d.Body
		if err := d.AddReport(report); err == nil || d.Body != before {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A report does not say what the owner's home directory is called.
func TestReportNamesNoHome(t *testing.T) {
	for report, want := range map[string]string{
		"disk for /home/joe/.swarming: 20 GB":    "disk for ~/.swarming: 20 GB",
		"/home/joe":                              "~",
		"PATH=/bin:/home/joe/bin:/Users/joe/bin": "PATH=/bin:~/bin:~/bin",
		"(/usr/home/joe) \"/export/home/joe/x\"": "(~) \"~/x\"",
		`C:\Users\Joe Smith\go, c:\users\joe`:    `~\go, ~`,
		`C:\Users\joe is not writable`:           `~ is not writable`,
		`C:\Users\joe and D:\x`:                  `~ and D:\x`,
		"https://go.dev/home/page":               "https://go.dev/home/page",
		"/srv/home/x ~/y /home is full":          "/srv/home/x ~/y /home is full",
	} {
		d := mustDraft(t)
		if err := d.AddReport(report); err != nil || !strings.Contains(d.Body, "\n```text\n"+want+"\n```\n") {
			t.Errorf("%s: %v, %q", report, err, d.parts.Report)
		}
	}
}
