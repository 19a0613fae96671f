//go:build !unix

package doctor

func filesLimit() (n uint64, known bool) { return 0, false }

func memoryRlimits() []limit { return nil }
