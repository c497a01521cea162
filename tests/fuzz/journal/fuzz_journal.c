/* The verifier on any bytes.
 *
 * The input is scanned as it is.  Then its lines, at most some, are given right links and scanned
 * again, since no fuzzer finds a SHA-256: so the conditions behind the chain are reached too.  Of
 * each answer it is checked that the records and the torn bytes are the whole input, that records
 * count from 1, and that the good part alone is accepted with the same head.
 */
#include <stdlib.h>
#include <string.h>

#include "journal/inside.h"

enum { LINES = 50 };

static void scan(const char *p, size_t n)
{
    KP_AUTO_ARENA a = kp_arena_new("fuzz", (size_t)512 << 20);
    kp_journal_check c, again;
    kp_err *err = kp_journal_scan_bytes(a, "fuzz", p, n, &c);
    if (err) {
        if (err->cls != KP_REFUSED || !*err->next || !*err->where)
            abort();
        kp_err_drop(err);
        return;
    }
    size_t good = n - (size_t)c.torn_bytes;
    if (c.torn != (c.torn_bytes > 0) || c.torn_bytes < 0 || (size_t)c.torn_bytes > n)
        abort();
    size_t lines = 0;
    for (size_t i = 0; i < good; i++)
        lines += p[i] == '\n';
    if (lines != (size_t)c.records || (good && p[good - 1] != '\n'))
        abort();
    for (int64_t i = 0; i < c.records; i++)
        if (c.rec[i].n != i + 1 || !c.rec[i].body || (c.rec[i].kind == KP_K_OPEN) != (i == 0))
            abort();
    if (kp_journal_scan_bytes(a, "fuzz", p, good, &again) || again.torn ||
        again.records != c.records || strcmp(again.head, c.head) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data, *end = p + size;
    scan(p, size);

    KP_AUTO_BUF linked = KP_BUF_INIT(4u << 20);
    kp_chain chain;
    kp_chain_init(&chain);
    for (int i = 0; p < end && i < LINES; i++) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((newline ? newline : end) - p);
        char text[KP_LINK_TEXT + 1];
        unsigned char link[KP_LINK_BYTES];
        kp_chain_next(&chain, p, n, link);
        memcpy(chain.link, link, sizeof link);
        kp_chain_text(link, text);
        kp_buf_add(&linked, p, n);
        kp_buf_fmt(&linked, ",\"h\":\"%s\"}\n", text);
        p = newline ? newline + 1 : end;
    }
    kp_chain_done(&chain);
    scan(kp_buf_text(&linked), linked.n);
    return 0;
}
