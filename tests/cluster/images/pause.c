/* Holds a pod's namespaces: reaps what is left to it, and ends when it is told to. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void end(int signal) {
  (void)signal;
  _exit(0);
}

static void reap(int signal) {
  (void)signal;
  while (waitpid(-1, NULL, WNOHANG) > 0) {
  }
}

int main(void) {
  if (signal(SIGINT, end) == SIG_ERR || signal(SIGTERM, end) == SIG_ERR || signal(SIGCHLD, reap) == SIG_ERR) {
    return EXIT_FAILURE;
  }
  for (;;) {
    pause();
  }
}
