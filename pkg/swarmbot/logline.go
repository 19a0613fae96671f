package swarmbot

import (
	"regexp"
	"strings"
)

// meaning is what a line of the bot's log tells about the bot.
type meaning int

const (
	nothing     meaning = iota
	quarantined         // it takes no work until it is restarted
	unwell              // it says so with each poll, and takes it back some time
	well                // takes unwell back
	noEntry             // the server does not let it in
	entered             // the server has let it in
	unreachable         // no server is reached
	secondBot           // it is going to reboot the machine because of another bot
	rebooting           // it has asked for a reboot
	noReboot            // that did not come
	ownUpdate           // it has started another version of itself
	signalled           // it ends because it was told to by a signal
	complaint           // an error that may be the last word
)

// logLines are the lines that tell something, as the bot writes them
// (LUCI protocol, sections 9.4 to 9.9); the first that fits counts. The group,
// if there is one, is the detail.
var logLines = []struct {
	means meaning
	re    *regexp.Regexp
	says  string // in place of a detail, or before it if it ends in a blank
}{
	{secondBot, regexp.MustCompile(`Found a previous bot, (\d+)`), "a second bot runs in its directory; found by process "},
	{quarantined, regexp.MustCompile(`_set_quarantined\((.+?)\)?\s*$`), "quarantined: "},
	{unwell, regexp.MustCompile(`'quarantined': (?:'([^']+)'|"([^"]+)")`), "quarantined: "},
	{well, regexp.MustCompile(`'quarantined': None`), ""},
	{noEntry, regexp.MustCompile(`the bot is not in bots\.cfg`), "Swarming does not know this bot, or not by this token: compare the host name with the certificate's; if they agree, ask in the builder's issue"},
	{noEntry, regexp.MustCompile(`Bot ID doesn't match the token used`), "Swarming knows the token, but for another bot than this: the host name is not the certificate's"},
	{noEntry, regexp.MustCompile(`bad machine token`), "Swarming does not accept the machine token: it has expired or is damaged"},
	{noEntry, regexp.MustCompile(`/(?:handshake|poll)\S* failed with HTTP status code (401|403)\b`), "Swarming does not let the bot in: HTTP status "},
	{noEntry, regexp.MustCompile(`[Ff]ailed to grab (?:initial )?auth headers|Can't grab auth headers`), "the bot cannot read the machine token: is LUCI_MACHINE_TOKEN right, and the file readable?"},
	{unreachable, regexp.MustCompile(`Unable to open given url, ([^ ,]+)`), "the bot cannot reach "},
	{unreachable, regexp.MustCompile(`Failed to contact for handshake`), "the bot cannot log in; its log says why"},
	{entered, regexp.MustCompile(`I: Connected to `), ""},
	{rebooting, regexp.MustCompile(`Restarting machine with command (.+)$`), ""},
	{noReboot, regexp.MustCompile(`Host is stuck rebooting|Waited for host to reboot for too long|Failed to reboot the host`), "it asked for a reboot that does not come: may its user run sudo -n /sbin/shutdown -r now?"},
	{ownUpdate, regexp.MustCompile(`importing bot_main: (\S+)`), ""},
	{signalled, regexp.MustCompile(`Signal was received`), ""},
	{complaint, regexp.MustCompile(`^\d+ \S+ \S+ E: (.+)$`), ""},
	{complaint, regexp.MustCompile(`^(\w*(?:Error|Exception)\b.*)$`), ""},
}

// readLine returns what a line means, and the detail in words.
func readLine(line string) (meaning, string) {
	for _, known := range logLines {
		m := known.re.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		detail := known.says
		if known.says == "" || strings.HasSuffix(known.says, " ") {
			detail += strings.Join(m[1:], "")
		}
		return known.means, detail
	}
	return nothing, ""
}
