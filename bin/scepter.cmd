@node "%~dp0scepter.js" %*
