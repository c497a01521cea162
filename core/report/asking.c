/* Asking at the terminal.
 *
 * The terminal's own queue is emptied when the question stands on the screen, before the prompt:
 * what was typed until then was not an answer to it.  Waiting is the world's, so that signals are
 * heard and connections kept while a person thinks; the line is read at once when it is there, past
 * stdio, whose buffer would keep typed lines for the next question.
 */
#include "report/asking.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <termios.h>
#include <unistd.h>

#define LINE_MOST 256

/* Texts come from playbooks and logs: no control byte of theirs reaches the terminal. */
static void lines(kp_arena *a, const char *prefix, const char *before, const char *text,
                  const char *last)
{
    for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
        size_t n = strcspn(text, "\n");
        printf("%s%s%s%s", prefix, before, kp_printable(a, text, n),
               text[n] && text[n + 1] ? "\n" : last);
    }
}

static void show(const char *prefix, const kp_question *q, const char *last)
{
    KP_AUTO_ARENA a = kp_arena_new("question", (size_t)16 << 20);
    lines(a, prefix, "  ", q->details, "\n");
    lines(a, prefix, "means     ", q->risk, "\n");
    lines(a, prefix, "", q->text, last);
}

void kp_question_lines(const kp_question *q)
{
    show("", q, "\n");
}

static void prompt(const char *prefix, const kp_question *q, bool again)
{
    KP_AUTO_ARENA a = kp_arena_new("question", (size_t)16 << 20);
    fflush(stdout);
    tcflush(STDIN_FILENO, TCIFLUSH);
    if (*q->phrase)
        printf("%stype %s to say yes: ", prefix, kp_printable(a, q->phrase, strlen(q->phrase)));
    else
        printf("%s[y/N] ", again ? prefix : " ");
    fflush(stdout);
}

/* False: it says neither. */
static bool understood(const kp_question *q, const char *said, kp_answer *ret_answer)
{
    bool yes = *q->phrase ? kp_streq(said, q->phrase)
                          : strcasecmp(said, "y") == 0 || strcasecmp(said, "yes") == 0;
    bool no = !*said || strcasecmp(said, "n") == 0 || strcasecmp(said, "no") == 0;
    *ret_answer = yes ? KP_ANSWER_YES : KP_ANSWER_NO;
    return yes || no;
}

/* One line without its newline; false when there is none to come. */
static bool typed(kp_world *w, char line[LINE_MOST])
{
    if (!kp_readable(w, STDIN_FILENO))
        return false;
    ssize_t n;
    do
        n = read(STDIN_FILENO, line, LINE_MOST - 1);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return false;
    line[n] = 0;
    line[strcspn(line, "\r\n")] = 0;
    return true;
}

kp_answer kp_terminal_ask(kp_world *w, const char *prefix, const kp_question *q)
{
    char line[LINE_MOST];
    kp_answer answer = KP_ANSWER_NO;

    if (!isatty(STDIN_FILENO))
        return KP_ANSWER_NOBODY;
    show(prefix, q, *q->phrase ? "\n" : "");
    for (int times = 0; times < 2; times++) {
        KP_AUTO_ARENA a = kp_arena_new("answer", 1 << 20);
        prompt(prefix, q, times > 0);
        if (!typed(w, line)) {
            putchar('\n');
            return KP_ANSWER_LEFT;
        }
        if (understood(q, line, &answer))
            return answer;
        printf("%s\"%s\" is no answer%s\n", prefix, kp_printable(a, line, strlen(line)),
               times ? ": that is taken as no" : "");
    }
    return KP_ANSWER_NO;
}
