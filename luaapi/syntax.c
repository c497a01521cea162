/* Tokens of a Lua file, and errors that show their place in it: "path:line:col", the line and a
 * caret. */
#include "kl.h"

#include <stdlib.h>
#include <string.h>

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_keyword(const char *p, size_t n)
{
    static const char *const words[] = {
        "and",      "break",  "do",   "else", "elseif", "end",   "false", "for",
        "function", "goto",   "if",   "in",   "local",  "nil",   "not",   "or",
        "repeat",   "return", "then", "true", "until",  "while",
    };
    for (size_t i = 0; i < KP_COUNT(words); i++)
        if (strlen(words[i]) == n && memcmp(words[i], p, n) == 0)
            return true;
    return false;
}

/* The length of a long bracket that begins at p, "[==[ ... ]==]", or 0 when none does. */
static size_t long_bracket(const char *p, size_t n)
{
    size_t level = 0;

    if (n < 2 || *p != '[')
        return 0;
    while (1 + level < n && p[1 + level] == '=')
        level++;
    if (1 + level >= n || p[1 + level] != '[')
        return 0;
    for (size_t i = level + 2; i < n; i++) {
        size_t k = 0;
        if (p[i] != ']')
            continue;
        while (i + 1 + k < n && k < level && p[i + 1 + k] == '=')
            k++;
        if (k == level && i + 1 + k < n && p[i + 1 + k] == ']')
            return i + k + 2;
    }
    return n;
}

static size_t quoted(const char *p, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if (p[i] == '\\') {
            i++;
            bool skips = i < n && p[i] == 'z'; /* \z: the white space behind it */
            while (skips && i + 1 < n && memchr(" \t\r\n", p[i + 1], 4))
                i++;
        } else if (p[i] == *p) {
            return i + 1;
        } else if (p[i] == '\n') {
            return i;
        }
    }
    return n;
}

static size_t sign(const char *p, size_t n)
{
    static const char *const signs[] = {
        "...", "..", "::", "==", "~=", "<=", ">=", "//", "<<", ">>"
    };

    for (size_t i = 0; i < KP_COUNT(signs); i++)
        if (strlen(signs[i]) <= n && memcmp(p, signs[i], strlen(signs[i])) == 0)
            return strlen(signs[i]);
    return 1;
}

/* The length of the comment or the blank that begins at p, or 0 when none does. */
static size_t between_tokens(const char *p, size_t n)
{
    if (*p == '\n' || *p == ' ' || *p == '\t' || *p == '\r')
        return 1;
    if (n < 2 || p[0] != '-' || p[1] != '-')
        return 0;
    size_t bracket = long_bracket(p + 2, n - 2);
    if (bracket)
        return bracket + 2;
    const char *end = memchr(p, '\n', n);
    return end ? (size_t)(end - p) : n;
}

static size_t identifier(const char *p, size_t n)
{
    size_t len = 1;

    while (len < n && (is_alpha(p[len]) || is_digit(p[len])))
        len++;
    return len;
}

static size_t numeral(const char *p, size_t n)
{
    size_t len = 1;

    while (len < n && (is_alpha(p[len]) || is_digit(p[len]) || p[len] == '.' ||
                       ((p[len] == '+' || p[len] == '-') && strchr("eEpP", p[len - 1]))))
        len++;
    return len;
}

/* The kind and length of the token that begins at p. */
static kl_kind token_at(const char *p, size_t n, size_t *ret_len)
{
    if (is_alpha(*p)) {
        *ret_len = identifier(p, n);
        return is_keyword(p, *ret_len) ? KL_T_WORD : KL_T_NAME;
    }
    if (is_digit(*p) || (*p == '.' && n > 1 && is_digit(p[1]))) {
        *ret_len = numeral(p, n);
        return KL_T_NUMBER;
    }
    *ret_len = *p == '"' || *p == '\'' ? quoted(p, n) : long_bracket(p, n);
    if (*ret_len > 0)
        return KL_T_TEXT;
    *ret_len = sign(p, n);
    return KL_T_SIGN;
}

/* A file has at most as many tokens as bytes. */
size_t kl_tokens(kp_arena *a, const char *text, size_t n, kl_token **ret_tokens)
{
    kl_token *t = KP_NEW_ARRAY(a, n + 1, kl_token);
    size_t n_t = 0, line_at = 0;
    int line = 1;

    for (size_t i = 0; i < n;) {
        size_t len = between_tokens(text + i, n - i);
        if (!len) {
            kl_kind kind = token_at(text + i, n - i, &len);
            t[n_t++] = (kl_token) {
                .kind = kind, .at = i, .n = len, .line = line, .col = (int)(i - line_at) + 1
            };
        }
        for (size_t end = i + len; i < end; i++)
            if (text[i] == '\n') {
                line++;
                line_at = i + 1;
            }
    }
    *ret_tokens = t;
    return n_t;
}

bool kl_token_is(const char *text, const kl_token *t, const char *what)
{
    return strlen(what) == t->n && memcmp(text + t->at, what, t->n) == 0;
}

kp_err *kl_err_at_token(kp_err *e, const kl_file *file, const kl_token *t)
{
    const char *begin = file->text + t->at - (size_t)(t->col - 1);
    size_t n = 0, wide = t->n, left = file->n - (size_t)(begin - file->text);
    KP_AUTO_BUF b = KP_BUF_INIT(4096);

    while (n < left && begin[n] != '\n' && begin[n] != '\r')
        n++;
    if (n > 300) /* a line nobody reads */
        return kp_err_at(e, "%s:%d:%d", file->path, t->line, t->col);
    kp_buf_fmt(&b, "%3d | %.*s\n    | ", t->line, (int)n, begin);
    for (int i = 0; i + 1 < t->col; i++) {
        unsigned char c = (unsigned char)begin[i];
        if (c < 0x80 || c >= 0xc0) /* one column for a character */
            kp_buf_chr(&b, c == '\t' ? '\t' : ' ');
    }
    if ((size_t)t->col - 1 + wide > n)
        wide = n >= (size_t)t->col ? n - (size_t)t->col + 1 : 1;
    for (size_t i = 0; i < wide; i++)
        kp_buf_chr(&b, '^');
    kp_buf_chr(&b, '\n');
    e = kp_err_at(e, "%s:%d:%d", file->path, t->line, t->col);
    return kp_err_detail(e, "%s", kp_buf_text(&b));
}

kp_err *kl_err_at_field(kp_err *e, const kl_file *file, const char *name)
{
    KP_AUTO_ARENA a = kp_arena_new("a file's tokens", KL_TOKENS_ARENA);
    kl_token *t;
    size_t n = kl_tokens(a, file->text, file->n, &t);

    for (size_t i = 0; i + 1 < n && *name; i++)
        if (t[i].kind == KL_T_NAME && kl_token_is(file->text, &t[i], name) &&
            kl_token_is(file->text, &t[i + 1], "=") && i > 0 &&
            (kl_token_is(file->text, &t[i - 1], "{") || kl_token_is(file->text, &t[i - 1], ",") ||
             kl_token_is(file->text, &t[i - 1], ";")))
            return kl_err_at_token(e, file, &t[i]);
    return kp_err_at(e, "%s", file->path);
}

kp_err *kl_err_at_text(kp_err *e, const kl_file *file, const char *content)
{
    KP_AUTO_ARENA a = kp_arena_new("a file's tokens", KL_TOKENS_ARENA);
    kl_token *t;
    size_t n = kl_tokens(a, file->text, file->n, &t), len = strlen(content);

    for (size_t i = 0; i < n; i++)
        if (t[i].kind == KL_T_TEXT && t[i].n == len + 2 &&
            memcmp(file->text + t[i].at + 1, content, len) == 0)
            return kl_err_at_token(e, file, &t[i]);
    return kp_err_at(e, "%s", file->path);
}

/* "path:12: text near 'x'": the token named last is looked for in that line; its end otherwise. */
kp_err *kl_syntax_error(const kl_file *file, const char *message)
{
    const char *what = message ? message : "not enough memory", *near;
    KP_AUTO_ARENA a = kp_arena_new("a file's tokens", KL_TOKENS_ARENA);
    int line = 0;
    kl_token *t;
    char word[80] = "";

    for (const char *p = what; *p; p++)
        if (*p == ':' && is_digit(p[1])) {
            char *end;
            long number = strtol(p + 1, &end, 10);
            if (*end == ':' && end[1] == ' ') {
                line = (int)number;
                what = end + 2;
                break;
            }
        }
    kp_err *e = kp_err_new(KP_PLAYBOOK, "mend it; kplay check shows whether it is sound", "%s",
                           what);
    near = strstr(what, " near '");
    if (near) {
        const char *from = near + 7, *to = strrchr(from, '\'');
        size_t n = to ? (size_t)(to - from) : 0;
        if (n > 0 && n < sizeof word)
            memcpy(word, from, n);
    }
    size_t n = kl_tokens(a, file->text, file->n, &t), at = n;
    for (size_t i = 0; i < n; i++)
        if (t[i].line <= line)
            at = i;
    for (size_t i = at; *word && i < n && t[i].line == line; i--) {
        if (kl_token_is(file->text, &t[i], word)) {
            at = i;
            break;
        }
        if (i == 0)
            break;
    }
    return at < n ? kl_err_at_token(e, file, &t[at])
                  : kp_err_at(e, "%s:%d", file->path, line ? line : 1);
}

/* The lines of the comment the file begins with, without their dashes. */
const char *kl_first_comment(kp_arena *a, const char *text, size_t n)
{
    KP_AUTO_BUF b = KP_BUF_INIT(KP_SCRIPT_LIMIT);
    const char *p = text, *end = text + n;

    while (p + 1 < end && p[0] == '-' && p[1] == '-') {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        if (!stop)
            stop = end;
        while (p < stop && *p == '-')
            p++;
        if (p < stop && *p == ' ')
            p++;
        kp_buf_add(&b, p, (size_t)(stop - p));
        kp_buf_chr(&b, '\n');
        p = stop < end ? stop + 1 : end;
    }
    while (b.n > 0 && b.p[b.n - 1] == '\n')
        b.p[--b.n] = 0;
    return kp_strdup(a, kp_buf_text(&b));
}
