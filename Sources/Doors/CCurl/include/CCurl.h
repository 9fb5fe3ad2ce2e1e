#ifndef FRESHTRACK_CCURL_H
#define FRESHTRACK_CCURL_H

// curl_easy_setopt and curl_easy_getinfo are variadic, which Swift cannot call: one typed function for each shape.

#include <curl/curl.h>

CURLcode ccurl_set_long(CURL *handle, CURLoption option, long value);
CURLcode ccurl_set_string(CURL *handle, CURLoption option, const char *value);
CURLcode ccurl_set_pointer(CURL *handle, CURLoption option, void *value);
CURLcode ccurl_set_size(CURL *handle, CURLoption option, curl_off_t value);
CURLcode ccurl_set_transfer(CURL *handle, CURLoption option, size_t (*call)(char *, size_t, size_t, void *));
CURLcode ccurl_set_progress(CURL *handle,
                            int (*call)(void *, curl_off_t, curl_off_t, curl_off_t, curl_off_t));
CURLcode ccurl_set_open_socket(CURL *handle, curl_socket_t (*call)(void *, curlsocktype, struct curl_sockaddr *));
long ccurl_status(CURL *handle);

#endif
