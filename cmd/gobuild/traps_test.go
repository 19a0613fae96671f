package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shown says which tests show that gobuild does not fall for something, each
// as FILE TEST, or FILE alone for a script.
type shown struct {
	what  string
	tests []string
}

// luciTraps are the traps of the LUCI protocol, section 13, in order.
var luciTraps = []shown{
	{"1: a token is base64 without padding, of the standard alphabet", []string{"pkg/machinetoken/daemon_test.go TestNewToken", "pkg/machinetoken/mintserver/verify_test.go TestVerify", "pkg/interop/realtokenserver_test.go TestVerifyReally"}},
	{"2: what is signed is what is sent, at each attempt", []string{"pkg/machinetoken/fault_test.go TestRequest", "pkg/interop/realtokenserver_test.go TestTokendMintsReally"}},
	{"3: one certificate in DER, no chain", []string{"pkg/machinetoken/daemon_test.go TestFiles", "pkg/interop/realtokenserver_test.go TestTokendMintsReally"}},
	{"4: 64-bit numbers are strings in the token file, numbers in the status file", []string{"pkg/machinetoken/daemon_test.go TestNewToken", "pkg/machinetoken/tokenfile_test.go TestParseTokenFile"}},
	{"5: no fields of our own in the token file", []string{"pkg/machinetoken/daemon_test.go TestNewToken", "pkg/interop/tokend_test.go TestTokendMints"}},
	{"6: the mode of the token file does not depend on the umask", []string{"pkg/machinetoken/owner_unix_test.go TestModes"}},
	{"7: PEM with lines behind it is taken, and its raw bytes hashed", []string{"pkg/machinetoken/daemon_test.go TestFiles", "pkg/machinetoken/daemon_test.go TestReasons", "pkg/interop/botcert_test.go TestFileFormsLikeTokend"}},
	{"8: which answers are tried again", []string{"pkg/machinetoken/fault_test.go TestServerFaults", "pkg/interop/tokend_test.go TestTokendRefused"}},
	{"9: errors come with HTTP 200", []string{"pkg/machinetoken/fault_test.go TestServerFaults", "pkg/interop/realtokenserver_test.go TestAnswersEqualReally"}},
	{"10: UNTRUSTED_CERTIFICATE says nothing: what can be seen here is said", []string{"pkg/machinetoken/loop_test.go TestRunAfterFailure", "pkg/machinetoken/fault_test.go TestServerFaults"}},
	{"11: /bot_code is a redirect, and the digest is of the content", []string{"pkg/swarmbot/download_test.go TestDownload", "pkg/swarmbot/download_test.go TestDigest"}},
	{"12: a bot keeps its process, and ignores that it is not let in", []string{"pkg/swarmbot/run_linux_test.go TestSelfUpdate", "pkg/swarmbot/run_linux_test.go TestTrouble", "pkg/rehearse/luci_test.go TestLUCIPasses"}},
	{"13: never two bots in one directory", []string{"pkg/swarmbot/run_linux_test.go TestForeignBot", "pkg/swarmbot/run_linux_test.go TestLeftBehind", "cmd/gobuild/run_bot_linux_test.go TestRunBotSurvivesKills"}},
	{"14: the processes of tasks are in groups of their own", []string{"pkg/swarmbot/run_linux_test.go TestKilledBotIsRestarted", "cmd/gobuild/run_bot_linux_test.go TestRunBotSurvivesKills"}},
	{"15: the end takes time, and its exit code is 0", []string{"pkg/swarmbot/run_linux_test.go TestStopAtEveryStage", "pkg/swarmbot/run_linux_test.go TestVerdicts", "cmd/gobuild/run_bot_linux_test.go TestRunBotSignals"}},
	{"16: names with --, dots, capitals, or too long", []string{"pkg/botcert/host_test.go TestCheckHost", "pkg/botcert/create_test.go TestCreateRefuses", "cmd/gobuild/testdata/script/run_bot.txtar"}},
	{"17: LUCI_MACHINE_TOKEN reaches the bot", []string{"pkg/swarmbot/run_linux_test.go TestEnvironment", "pkg/interop/bootstrapswarm_test.go TestBootstrapswarm"}},
	{"18: Python 3.7 to 3.13", []string{"pkg/swarmbot/run_linux_test.go TestChecks"}},
	{"19: plain HTTP for two spellings only; /bot_code by https", []string{"pkg/machinetoken/fault_test.go TestPlainHTTP", "pkg/interop/rehearsal_test.go TestRehearsalPeers"}},
	{"20: an empty download is no bot", []string{"pkg/swarmbot/download_test.go TestDownloadFaults", "pkg/rehearse/luci_test.go TestLUCIPasses"}},
}

// luciFaults are the faults that tokend and run-bot are made for.
var luciFaults = []shown{
	{"500, 503, 404 without a pRPC code, 401, 403", []string{"pkg/machinetoken/fault_test.go TestServerFaults", "pkg/swarmbot/download_test.go TestDownloadFaults"}},
	{"a slow answer", []string{"pkg/machinetoken/fault_test.go TestServerFaults", "pkg/swarmbot/download_test.go TestDownloadFaults"}},
	{"a truncated answer", []string{"pkg/machinetoken/fault_test.go TestServerFaults", "pkg/swarmbot/download_test.go TestDownloadFaults"}},
	{"an answer of 10 MiB and more", []string{"pkg/machinetoken/fault_test.go TestServerFaults", "pkg/swarmbot/download_test.go TestDownloadFaults"}},
	{"DNS", []string{"pkg/machinetoken/fault_test.go TestNetworkFaults", "pkg/swarmbot/download_test.go TestServerNotThere"}},
	{"time-out", []string{"pkg/machinetoken/fault_test.go TestCauseIsKept", "pkg/machinetoken/fault_test.go TestServerFaults"}},
	{"a clock 11 minutes off, either way", []string{"pkg/machinetoken/fault_test.go TestClock", "pkg/interop/tokend_test.go TestTokendRefused", "pkg/interop/realtokenserver_test.go TestTokendClockReally"}},
	{"a full disk", []string{"pkg/machinetoken/full_linux_test.go TestFullDisk"}},
	{"a power cut between write and rename", []string{"pkg/machinetoken/save_test.go TestPowerCut", "pkg/machinetoken/save_test.go TestKilledWhileSaving"}},
	{"a token file of another user", []string{"pkg/machinetoken/owner_unix_test.go TestOwnedByAnother"}},
	{"a corrupted token file", []string{"pkg/machinetoken/daemon_test.go TestCorruptedTokenFile", "pkg/swarmbot/run_linux_test.go TestChecks"}},
	{"SIGTERM at every stage", []string{"pkg/machinetoken/fault_test.go TestCancel", "cmd/gobuild/testdata/script/tokend.txtar", "pkg/swarmbot/run_linux_test.go TestStopAtEveryStage", "pkg/swarmbot/token_linux_test.go TestStopWhileWaitingForToken", "cmd/gobuild/run_bot_token_linux_test.go TestRunBotApart"}},
	{"two instances", []string{"pkg/machinetoken/daemon_test.go TestTwoInstances", "pkg/swarmbot/run_linux_test.go TestTwoInstances", "cmd/gobuild/run_bot_token_linux_test.go TestRunBotApartRefused"}},
	{"one of two halves killed", []string{"cmd/gobuild/run_bot_token_linux_test.go TestRunBotApartKilled"}},
}

// TestTraps checks that the tests in the tables are there.
func TestTraps(t *testing.T) { checkShown(t, slices.Concat(luciTraps, luciFaults)) }

// checkShown checks that the tests in a table are there.
func checkShown(t *testing.T, table []shown) {
	t.Helper()
	for _, s := range table {
		if len(s.tests) == 0 {
			t.Errorf("%s: no test", s.what)
		}
		for _, test := range s.tests {
			file, name, _ := strings.Cut(test, " ")
			text := readRepoFile(t, filepath.FromSlash(file))
			if !strings.Contains(text, "\nfunc "+name+"(t *testing.T) {") && !(name == "" && strings.HasSuffix(file, ".txtar")) {
				t.Errorf("%s: there is no %s", s.what, test)
			}
		}
	}
}
