// What glibc (since 2.34) declares for GNU sources only, which Swift's Glibc module is not.
#pragma once
#include <spawn.h>

extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);
