/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The subcommands of `umbra`, each in a file of its own: cmd_<name>.c.
 * argv[0] is the subcommand's name.  They return the exit status.
 */
#ifndef UMBRA_USER_CMD_H
#define UMBRA_USER_CMD_H

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_stats(int argc, char **argv);

#endif /* UMBRA_USER_CMD_H */
