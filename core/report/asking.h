/* A question put to the person at the terminal. */
#ifndef KP_REPORT_ASKING_H
#define KP_REPORT_ASKING_H

#include "engine/engine.h"
#include "world/world.h"

/* Shows the question on standard output and waits for a line of standard input.  Only what is typed
 * after the question is there to be read counts, and only whole words: y, yes, n, no in any case,
 * or the question's phrase; an empty line is a no; anything else is asked again once, then a no.
 * KP_ANSWER_NOBODY: standard input is no terminal.  KP_ANSWER_LEFT: a signal, or the end of input.
 * `prefix` begins each line. */
kp_answer kp_terminal_ask(kp_world *w, const char *prefix, const kp_question *q);

/* The question as it is shown there. */
void kp_question_lines(const kp_question *q);

#endif
