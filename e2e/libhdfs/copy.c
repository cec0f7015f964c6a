/* Copies a file of HDFS by libhdfs, and prints what the copy holds: copy FILESYSTEM FROM TO */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "hdfs/hdfs.h"

static hdfsFile opened(hdfsFS fs, const char *path, int flags) {
    hdfsFile file = hdfsOpenFile(fs, path, flags, 0, 0, 0);
    if (!file) {
        perror(path);
        _exit(1);
    }
    return file;
}

static char text[4096];

static tSize whole(hdfsFS fs, const char *path) {
    hdfsFile file = opened(fs, path, O_RDONLY);
    tSize length = 0, got;
    while ((got = hdfsRead(fs, file, text + length, sizeof text - length)) > 0) length += got;
    if (got < 0 || hdfsCloseFile(fs, file)) {
        perror(path);
        _exit(1);
    }
    return length;
}

int main(int count, char **words) {
    if (count != 4) {
        fputs("usage: copy FILESYSTEM FROM TO\n", stderr);
        return 64;
    }
    struct hdfsBuilder *builder = hdfsNewBuilder();
    hdfsBuilderSetNameNode(builder, words[1]);
    hdfsFS fs = hdfsBuilderConnect(builder);
    if (!fs) {
        perror(words[1]);
        return 1;
    }
    tSize length = whole(fs, words[2]);
    hdfsFile copy = opened(fs, words[3], O_WRONLY);
    if (hdfsWrite(fs, copy, text, length) != length || hdfsCloseFile(fs, copy)) {
        perror(words[3]);
        return 1;
    }
    length = whole(fs, words[3]);
    printf("%.*s\n", (int)length, text);
    return hdfsDisconnect(fs) ? 1 : 0;
}
