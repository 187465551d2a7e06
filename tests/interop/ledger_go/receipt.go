package main

// Receipts: a .tlog-proof file holds index, inclusion proof and signed checkpoint as text (C2SP tlog-proof). Nothing in
// it is believed before the reference code has followed the proof from the entry itself.

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// checkReceipt follows the receipt's proof from its entry, as dir holds it, to the root its checkpoint signs.
func checkReceipt(dir, keyFile, path string, log tlog.Tree) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, signed, found := strings.Cut(string(text), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || lines[0] != "c2sp.org/tlog-proof@v1" {
		return fmt.Errorf("%s: not a tlog-proof", path)
	}
	tree, err := openCheckpoint([]byte(signed), keyFile)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	lines = lines[1:]
	var extra []byte
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		extra, err = base64.StdEncoding.Strict().DecodeString(strings.TrimPrefix(lines[0], "extra "))
		if err != nil {
			return fmt.Errorf("%s: extra: %w", path, err)
		}
		lines = lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		return fmt.Errorf("%s: no index", path)
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "index "), 10, 64)
	if err != nil || index < 0 || index >= tree.N || tree.N > log.N {
		return fmt.Errorf("%s: entry %s of %d, and the log has %d", path, lines[0], tree.N, log.N)
	}
	var proof tlog.RecordProof
	for _, line := range lines[1:] {
		hash, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(hash) != tlog.HashSize {
			return fmt.Errorf("%s: %q is not a hash", path, line)
		}
		proof = append(proof, tlog.Hash(hash))
	}
	first := index - index%tileWidth
	entries, err := readBundle(dir, first, min(tileWidth, log.N-first))
	if err != nil {
		return err
	}
	// A receipt may carry its entry for readers without the log; it must be the one the log has.
	if extra != nil && !bytes.Equal(extra, entries[index-first]) {
		return fmt.Errorf("%s: its entry is not entry %d of the log", path, index)
	}
	leaf := tlog.RecordHash(entries[index-first])
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaf); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
